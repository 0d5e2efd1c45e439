#include "tests/support/plugin_driver.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace attnrt::testing {
namespace {

// Runs a call of the ABI with a buffer for its error's text.
template <class Call>
void checked(const char* what, Call&& call) {
  char text[1024] = "";
  attnrt_error error{text, sizeof(text)};
  const attnrt_status status = call(&error);
  if (status != ATTNRT_OK) {
    throw PluginFailure(status,
                        std::string(what) + ": status " + std::to_string(status) + ": " + text);
  }
}

// Memory of exactly the asked size and alignment, so that a sanitizer sees every overrun.
class Area {
 public:
  Area(const attnrt_area& wanted, uint8_t fill) : bytes_(wanted.bytes) {
    if (bytes_ == 0) return;
    const auto alignment = std::max<size_t>(wanted.alignment, sizeof(void*));
    if (posix_memalign(&memory_, alignment, bytes_) != 0) throw std::bad_alloc();
    std::memset(memory_, fill, bytes_);
  }
  ~Area() { std::free(memory_); }
  Area(const Area&) = delete;
  Area& operator=(const Area&) = delete;
  void* get() const { return memory_; }

 private:
  size_t bytes_;
  void* memory_ = nullptr;
};

constexpr uint8_t kRubbish = 0xFF;  // NaN in every float type

using ScheduleHandle = std::unique_ptr<attnrt_schedule, void (*)(attnrt_schedule*)>;

}  // namespace

PluginDriver::PluginDriver(const std::string& path, DriverOptions options)
    : options_(std::move(options)) {
  host_.struct_size = sizeof(host_);
  host_.abi_minor = ATTNRT_ABI_MINOR;
  host_.ctx = this;
  host_.log = log_line;
  host_.threads = options_.threads;
  if (options_.threads > 0) host_.parallel_for = parallel_for;

  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // never unloaded
  if (library == nullptr) throw PluginFailure(ATTNRT_UNAVAILABLE, dlerror());
  auto entry = reinterpret_cast<attnrt_plugin_entry>(dlsym(library, ATTNRT_ENTRY_SYMBOL));
  if (entry == nullptr) throw PluginFailure(ATTNRT_UNAVAILABLE, path + " has no entry point");
  checked("entry", [&](attnrt_error* e) { return entry(&host_, &functions_, e); });

  std::vector<attnrt_option> settings;
  for (const auto& [key, value] : options_.options) {
    settings.push_back({key.c_str(), value.c_str()});
  }
  attnrt_device device = options_.device;
  device.options = settings.data();
  device.option_count = settings.size();
  checked("open",
          [&](attnrt_error* e) { return functions_->open(&host_, &device, &instance_, e); });
}

PluginDriver::~PluginDriver() {
  functions_->close(instance_);
}

OpHandle PluginDriver::prepare(const std::string& kernel, const attnrt_layer_class& layer) {
  attnrt_op* op = nullptr;
  checked("prepare", [&](attnrt_error* e) {
    return functions_->prepare(instance_, kernel.c_str(), &layer, &op, e);
  });
  return {op, [this](attnrt_op* o) { functions_->release_op(o); }};
}

void PluginDriver::append(attnrt_op& op, const AppendCall& call) {
  attnrt_append_args args{};
  args.struct_size = sizeof(args);
  args.tokens = static_cast<int32_t>(call.slots.size());
  args.k = call.k;
  args.v = call.v;
  args.slot_mapping = {call.slots.data(), call.slots.data()};
  args.cache = call.cache;
  args.nan_count = call.nan_count;
  checked("append", [&](attnrt_error* e) { return functions_->append(&op, &args, e); });
}

void PluginDriver::attend(attnrt_op& op, const attnrt_batch& batch, const attnrt_bounds& bounds,
                          const AttendCall& call) {
  attnrt_workspace_sizes sizes{};
  sizes.struct_size = sizeof(sizes);
  checked("workspace",
          [&](attnrt_error* e) { return functions_->workspace(&op, &bounds, &sizes, e); });
  const Area state(sizes.state, 0);
  const Area scratch(sizes.scratch, kRubbish);
  const Area staging(sizes.staging, kRubbish);
  const attnrt_workspace workspace{
      sizeof(attnrt_workspace), state.get(),         scratch.get(),      staging.get(),
      sizes.state.bytes,        sizes.scratch.bytes, sizes.staging.bytes};
  attnrt_schedule* made = nullptr;
  checked("schedule", [&](attnrt_error* e) {
    return functions_->schedule(&op, &batch, &workspace, nullptr, &made, e);
  });
  const ScheduleHandle schedule(made, functions_->release_schedule);

  attnrt_attend_args args{};
  args.struct_size = sizeof(args);
  args.q = call.q;
  args.out = call.out;
  args.lse = call.lse;
  args.cache = call.cache;
  args.q_scale = call.q_scale;
  args.out_scale = call.out_scale;
  args.sinks = call.sinks;
  args.alibi_slopes = call.alibi_slopes;
  args.scratch = scratch.get();
  checked("attend",
          [&](attnrt_error* e) { return functions_->attend(&op, schedule.get(), &args, e); });
}

void PluginDriver::merge(attnrt_op& op, const attnrt_merge_args& args) {
  checked("merge", [&](attnrt_error* e) { return functions_->merge(&op, &args, e); });
}

std::string PluginDriver::describe() {
  char text[256] = "";
  if (functions_->describe == nullptr) return {};
  if (functions_->describe(instance_, text, sizeof(text)) != ATTNRT_OK) return {};
  return text;
}

std::vector<std::string> PluginDriver::log() {
  const std::lock_guard lock(log_mutex_);
  return log_;
}

void PluginDriver::log_line(void* self, int32_t, const char* text) {
  auto* driver = static_cast<PluginDriver*>(self);
  const std::lock_guard lock(driver->log_mutex_);
  driver->log_.emplace_back(text);
}

void PluginDriver::parallel_for(void* self, int64_t n, void (*fn)(void*, int64_t), void* arg) {
  std::atomic<int64_t> next{0};
  const auto work = [&] {
    for (int64_t i = next++; i < n; i = next++) fn(arg, i);
  };
  std::vector<std::thread> others;
  const int32_t threads = static_cast<PluginDriver*>(self)->options_.threads;
  for (int32_t t = 1; t < threads; ++t) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
}

attnrt_layer_class make_layer_class(int32_t op, const char* format, int32_t q_heads,
                                    int32_t kv_heads, int32_t head_dim_qk, int32_t head_dim_v) {
  attnrt_layer_class c{};
  c.struct_size = sizeof(c);
  c.op = op;
  c.q_heads = q_heads;
  c.kv_heads = kv_heads;
  c.head_dim_qk = head_dim_qk;
  c.head_dim_v = head_dim_v;
  c.q_dtype = ATTNRT_DTYPE_F32;
  c.out_dtype = ATTNRT_DTYPE_F32;
  c.cache_format = format;
  c.block_size = 16;
  c.layout = ATTNRT_LAYOUT_NHD;
  c.cache_kind = ATTNRT_CACHE_SEPARATE;
  c.features = ATTNRT_FEATURE_CAUSAL;
  return c;
}

}  // namespace attnrt::testing
