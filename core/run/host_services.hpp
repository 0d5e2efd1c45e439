// What the host gives to plugins: a log, threads, and memory for their small tables.
#pragma once

#include "attnrt/plugin.h"
#include "attnrt/session.hpp"

namespace attnrt::runtime {

// The engine's parallel_for, if it has one, needs no wrapper but its own ctx.
struct HostServices {
  explicit HostServices(const SessionOptions& options);
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;

  attnrt_host table{};

 private:
  static void run_parallel(void* ctx, int64_t n, void (*fn)(void*, int64_t), void* arg);

  void (*parallel_for_)(void*, int64_t, void (*)(void*, int64_t), void*) = nullptr;
  void* parallel_for_ctx_ = nullptr;
};

}  // namespace attnrt::runtime
