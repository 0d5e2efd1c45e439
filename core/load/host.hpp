// What the host gives to a plugin: the log, memory for its small tables, and threads where an
// engine lends its own.
#pragma once

#include <cstdint>
#include <string>

#include "attnrt/plugin.h"

namespace attnrt::load {

// An engine's threads; null: the plugin uses its own, at most `threads` of them (0: it decides).
struct LentThreads {
  void (*parallel_for)(void* ctx, int64_t n, void (*fn)(void*, int64_t), void* arg) = nullptr;
  void* ctx = nullptr;
  int32_t threads = 0;
};

// One plugin's services. It stays where it is and outlives everything that the plugin made with it.
class Host {
 public:
  // plugin: its name, put before what it logs.
  explicit Host(std::string plugin, const LentThreads& lent = {});
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const attnrt_host* table() const { return &table_; }

 private:
  static void write_log(void* self, int32_t level, const char* text) noexcept;
  static void run_parallel(void* self, int64_t n, void (*fn)(void*, int64_t), void* arg);

  std::string plugin_;
  LentThreads lent_;
  attnrt_host table_{};
};

}  // namespace attnrt::load
