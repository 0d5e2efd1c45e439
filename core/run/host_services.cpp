#include "run/host_services.hpp"

#include <algorithm>
#include <cstdlib>

#include "attnrt/log.hpp"

namespace attnrt::runtime {
namespace {

void log_line(void*, int32_t level, const char* text) {
  const bool known = level >= ATTNRT_LOG_DEBUG && level <= ATTNRT_LOG_ERROR;
  log(known ? static_cast<LogLevel>(level) : LogLevel::kWarn, text == nullptr ? "" : text);
}

void* allocate(void*, uint64_t bytes, uint64_t alignment) {
  const uint64_t align = std::max<uint64_t>(alignment, alignof(std::max_align_t));
  if ((align & (align - 1)) != 0 || bytes > SIZE_MAX - align) return nullptr;
  const uint64_t rounded = (std::max<uint64_t>(bytes, 1) + align - 1) / align * align;
  return std::aligned_alloc(align, rounded);
}

void release(void*, void* memory) {
  std::free(memory);
}

}  // namespace

void HostServices::run_parallel(void* ctx, int64_t n, void (*fn)(void*, int64_t), void* arg) {
  const auto* self = static_cast<const HostServices*>(ctx);
  self->parallel_for_(self->parallel_for_ctx_, n, fn, arg);
}

HostServices::HostServices(const SessionOptions& options)
    : parallel_for_(options.parallel_for), parallel_for_ctx_(options.parallel_for_ctx) {
  table.struct_size = sizeof table;
  table.abi_minor = ATTNRT_ABI_MINOR;
  table.ctx = this;
  table.log = log_line;
  table.parallel_for = parallel_for_ == nullptr ? nullptr : run_parallel;
  table.threads = options.threads;
  table.allocate = allocate;
  table.release = release;
}

}  // namespace attnrt::runtime
