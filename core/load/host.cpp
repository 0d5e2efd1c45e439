#include "load/host.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "attnrt/log.hpp"

namespace attnrt::load {
namespace {

// Called from a plugin's threads; nothing may be thrown back into it.
void write_log(void* ctx, int32_t level, const char* text) noexcept {
  if (text == nullptr) return;
  try {
    const bool known = level >= ATTNRT_LOG_DEBUG && level <= ATTNRT_LOG_ERROR;
    log(known ? static_cast<LogLevel>(level) : LogLevel::kInfo,
        *static_cast<const std::string*>(ctx) + ": " + text);
  } catch (...) {
    // Out of memory: the message is lost, the run is not.
  }
}

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

attnrt_host make_host(const std::string& name) {
  attnrt_host host = {};
  host.struct_size = sizeof host;
  host.abi_minor = ATTNRT_ABI_MINOR;
  host.ctx = const_cast<std::string*>(&name);
  host.log = write_log;
  host.allocate = allocate;
  host.release = release;
  return host;
}

}  // namespace attnrt::load
