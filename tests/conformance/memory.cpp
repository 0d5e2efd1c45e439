#include "memory.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace attnrt::conformance {
namespace {

// Exactly as many bytes as asked for, so that the redzone of a sanitizer begins right behind them.
void* host_allocate(uint64_t bytes, uint64_t alignment) {
  void* data = nullptr;
  if (posix_memalign(&data, std::max<uint64_t>(alignment, sizeof(void*)), bytes) != 0)
    throw std::runtime_error("out of host memory");
  return data;
}

}  // namespace

void Caller::check(attnrt_status status, const char* what) const {
  if (status == ATTNRT_OK) return;
  throw Answer(status,
               std::string(what) + " answered status " + std::to_string(status) + ": " + text_);
}

DeviceMemory::~DeviceMemory() {
  for (const Block& block : blocks_) {
    if (service_ == nullptr)
      std::free(block.data);
    else if (block.pinned)
      service_->release_pinned(instance_, block.data, nullptr);
    else
      service_->release(instance_, block.data, nullptr);
  }
}

void* DeviceMemory::allocate(uint64_t bytes, uint64_t alignment, uint8_t fill) {
  if (bytes == 0) return nullptr;
  if (service_ == nullptr) {
    void* data = host_allocate(bytes, alignment);
    blocks_.push_back({data, false});
    std::memset(data, fill, bytes);
    return data;
  }
  Caller caller;
  void* data = nullptr;
  caller.check(service_->allocate(instance_, bytes, &data, caller.error()), "allocate");
  blocks_.push_back({data, false});
  const std::vector<uint8_t> pattern(bytes, fill);
  caller.check(service_->copy(instance_, data, pattern.data(), bytes, nullptr, caller.error()),
               "copy");
  synchronize();
  return data;
}

void* DeviceMemory::allocate_host(uint64_t bytes, uint64_t alignment) {
  if (bytes == 0) return nullptr;
  void* data = nullptr;
  if (service_ == nullptr) {
    data = host_allocate(bytes, alignment);
  } else {
    Caller caller;
    caller.check(service_->allocate_pinned(instance_, bytes, &data, caller.error()),
                 "allocate_pinned");
  }
  blocks_.push_back({data, true});
  return data;
}

void* DeviceMemory::put(const void* from, uint64_t bytes) {
  if (bytes == 0) return nullptr;
  void* data = allocate(bytes, 64, 0);
  if (service_ == nullptr) {
    std::memcpy(data, from, bytes);
    return data;
  }
  Caller caller;
  caller.check(service_->copy(instance_, data, from, bytes, nullptr, caller.error()), "copy");
  synchronize();
  return data;
}

void DeviceMemory::get(void* to, const void* from, uint64_t bytes) {
  if (bytes == 0) return;
  if (service_ == nullptr) {
    std::memcpy(to, from, bytes);
    return;
  }
  Caller caller;
  caller.check(service_->copy(instance_, to, from, bytes, nullptr, caller.error()), "copy");
  synchronize();
}

void DeviceMemory::synchronize() {
  if (service_ == nullptr) return;
  Caller caller;
  caller.check(service_->synchronize(instance_, nullptr, caller.error()), "synchronize");
}

}  // namespace attnrt::conformance
