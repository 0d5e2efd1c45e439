// Drives a plugin through its C ABI alone: dlopen, entry, open, prepare, append, attend, merge.
//
// For tests of plugins: no manifest, selector or session stands between. A call that the plugin
// refuses throws PluginFailure with its status and text. A driver is used by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "attnrt/plugin.h"

namespace attnrt::testing {

class PluginFailure : public std::runtime_error {
 public:
  PluginFailure(attnrt_status status, const std::string& text)
      : std::runtime_error(text), status_(status) {}
  attnrt_status status() const { return status_; }

 private:
  attnrt_status status_;
};

struct DriverOptions {
  int32_t threads = 1;  // of the host's parallel_for; 0: the host has none
  attnrt_device device{sizeof(attnrt_device), ATTNRT_DEVICE_CPU, 0, 0, nullptr, nullptr, 0};
  std::vector<std::pair<std::string, std::string>> options = {};  // of the instance
};

using OpHandle = std::unique_ptr<attnrt_op, std::function<void(attnrt_op*)>>;

struct AppendCall {
  attnrt_tensor k{};
  attnrt_tensor v{};  // data null: latent
  attnrt_cache_view cache{};
  std::span<const int64_t> slots;
  uint64_t* nan_count = nullptr;
};

// What attend takes; its scratch is the driver's.
struct AttendCall {
  attnrt_tensor q{};
  attnrt_tensor out{};
  attnrt_tensor lse{};
  attnrt_cache_view cache{};
  attnrt_scale q_scale{nullptr, 0, 1.0F};
  attnrt_scale out_scale{nullptr, 0, 1.0F};
  const float* sinks = nullptr;
  const float* alibi_slopes = nullptr;
};

class PluginDriver {
 public:
  // `path`: the .so. Throws PluginFailure if it does not load or open.
  explicit PluginDriver(const std::string& path, DriverOptions options = {});
  ~PluginDriver();
  PluginDriver(const PluginDriver&) = delete;
  PluginDriver& operator=(const PluginDriver&) = delete;

  // Release ops before the driver.
  OpHandle prepare(const std::string& kernel, const attnrt_layer_class& layer);
  void append(attnrt_op& op, const AppendCall& call);
  // workspace, schedule, attend and release; the workspace's scratch and staging hold rubbish at
  // entry, as the ABI allows.
  void attend(attnrt_op& op, const attnrt_batch& batch, const attnrt_bounds& bounds,
              const AttendCall& call);
  void merge(attnrt_op& op, const attnrt_merge_args& args);

  const attnrt_plugin& functions() const { return *functions_; }
  attnrt_instance* instance() { return instance_; }
  std::string describe();
  // Lines that the plugin has logged.
  std::vector<std::string> log();

 private:
  static void log_line(void* self, int32_t level, const char* text);
  static void parallel_for(void* self, int64_t n, void (*fn)(void*, int64_t), void* arg);

  DriverOptions options_;
  std::mutex log_mutex_;  // plugins log from any thread
  std::vector<std::string> log_;
  attnrt_host host_{};
  const attnrt_plugin* functions_ = nullptr;
  attnrt_instance* instance_ = nullptr;
};

// A layer class with causal attention; change what the test is about.
attnrt_layer_class make_layer_class(int32_t op, const char* format, int32_t q_heads,
                                    int32_t kv_heads, int32_t head_dim_qk, int32_t head_dim_v);

}  // namespace attnrt::testing
