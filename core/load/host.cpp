#include "load/host.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "attnrt/log.hpp"

namespace attnrt::load {
namespace {

void* allocate(void*, uint64_t bytes, uint64_t alignment) noexcept {
  if (alignment == 0 || (alignment & (alignment - 1)) != 0) return nullptr;
  const uint64_t step = std::max<uint64_t>(alignment, alignof(std::max_align_t));
  if (bytes > UINT64_MAX - step) return nullptr;
  return std::aligned_alloc(step, (std::max<uint64_t>(bytes, 1) + step - 1) / step * step);
}

void release(void*, void* memory) noexcept {
  std::free(memory);
}

}  // namespace

// Called from a plugin's threads; nothing may be thrown back into it.
void Host::write_log(void* self, int32_t level, const char* text) noexcept {
  if (text == nullptr) return;
  try {
    const bool known = level >= ATTNRT_LOG_DEBUG && level <= ATTNRT_LOG_ERROR;
    log(known ? static_cast<LogLevel>(level) : LogLevel::kInfo,
        static_cast<const Host*>(self)->plugin_ + ": " + text);
  } catch (...) {
    // Out of memory: the message is lost, the run is not.
  }
}

void Host::run_parallel(void* self, int64_t n, void (*fn)(void*, int64_t), void* arg) {
  const LentThreads& lent = static_cast<const Host*>(self)->lent_;
  lent.parallel_for(lent.ctx, n, fn, arg);
}

Host::Host(std::string plugin, const LentThreads& lent) : plugin_(std::move(plugin)), lent_(lent) {
  table_.struct_size = sizeof table_;
  table_.abi_minor = ATTNRT_ABI_MINOR;
  table_.ctx = this;
  table_.log = write_log;
  table_.parallel_for = lent.parallel_for == nullptr ? nullptr : run_parallel;
  table_.threads = lent.threads;
  table_.allocate = allocate;
  table_.release = release;
}

}  // namespace attnrt::load
