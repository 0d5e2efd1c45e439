#include "run/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "load/plugin_call.hpp"

namespace attnrt::runtime {
namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;

Error out_of_memory(uint64_t bytes) {
  return Error{ErrorCode::kInternal, "session", std::to_string(bytes) + " bytes of memory",
               "the system has not got them", "give the cache fewer blocks, or smaller bounds"};
}

Error out_of_device_memory(uint64_t bytes) {
  return Error{ErrorCode::kInternal, "session", std::to_string(bytes) + " bytes of device memory",
               "options.device_allocator has not got them",
               "give the cache fewer blocks, or smaller bounds"};
}

// Whole huge pages at a huge page's edge: decoding is bound by address translation otherwise.
void* map_huge(uint64_t bytes, uint64_t& mapped) {
  mapped = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  const uint64_t spare = mapped + kHugePage;
  void* raw = mmap(nullptr, spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto* begin = static_cast<char*>(raw);
  const uint64_t behind = reinterpret_cast<uintptr_t>(raw) % kHugePage;
  const uint64_t head = behind == 0 ? 0 : kHugePage - behind;
  if (head > 0) munmap(begin, head);
  if (kHugePage > head) munmap(begin + head + mapped, kHugePage - head);
  // Advice only: without transparent huge pages the memory is as good, if slower.
  static_cast<void>(madvise(begin + head, mapped, MADV_HUGEPAGE));
  return begin + head;
}

}  // namespace

Status wait_for(const DeviceFunctions& device, void* stream) {
  if (device.service == nullptr) return Done{};
  return load::call_plugin("the device", "synchronize", [&](attnrt_error* error) {
    return device.service->synchronize(device.instance, stream, error);
  });
}

Memory& Memory::operator=(Memory&& other) noexcept {
  if (this == &other) return *this;
  release();
  device_ = other.device_;
  allocator_ = other.allocator_;
  place_ = other.place_;
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  mapped_ = std::exchange(other.mapped_, 0);
  return *this;
}

Status Memory::take(uint64_t alignment) {
  if (from_engine()) {
    data_ = allocator_.allocate(allocator_.ctx, bytes_, alignment);
    if (data_ == nullptr) return out_of_device_memory(bytes_);
    return Done{};
  }
  const attnrt_device_service* service = device_.service;
  auto* function = place_ == Place::kStaging ? service->allocate_pinned : service->allocate;
  return load::call_plugin("device memory", "allocate", [&](attnrt_error* error) {
    return function(device_.instance, bytes_, &data_, error);
  });
}

Result<Memory> Memory::allocate(const DeviceFunctions& device, const DeviceAllocator& allocator,
                                Place place, uint64_t bytes, uint64_t alignment) {
  Memory memory;
  memory.device_ = device;
  memory.allocator_ = allocator;
  memory.place_ = place;
  if (bytes == 0) return memory;
  if (device.service == nullptr) {
    if (bytes >= kHugePage) {
      memory.data_ = map_huge(bytes, memory.mapped_);
    } else {
      const uint64_t align = std::max<uint64_t>(alignment, 64);
      const uint64_t rounded = (bytes + align - 1) / align * align;
      memory.data_ = std::aligned_alloc(align, rounded);
      if (memory.data_ != nullptr) std::memset(memory.data_, 0, rounded);
    }
    if (memory.data_ == nullptr) return out_of_memory(bytes);
    memory.bytes_ = bytes;
    return memory;
  }
  memory.bytes_ = bytes;
  if (Status got = memory.take(alignment); !got) return got.error();
  if (place == Place::kStaging) {
    std::memset(memory.data_, 0, bytes);
    return memory;
  }
  Status zeroed = load::call_plugin("device memory", "zero", [&](attnrt_error* error) {
    return device.service->zero(device.instance, memory.data_, bytes, nullptr, error);
  });
  if (!zeroed) return zeroed.error();
  if (Status done = wait_for(device, nullptr); !done) return done.error();
  return memory;
}

void Memory::release() {
  if (data_ == nullptr) return;
  if (device_.service != nullptr && from_engine()) {
    allocator_.release(allocator_.ctx, data_);
  } else if (device_.service != nullptr) {
    auto* function =
        place_ == Place::kStaging ? device_.service->release_pinned : device_.service->release;
    // Nothing is left to do about memory that a device will not take back.
    static_cast<void>(function(device_.instance, data_, nullptr));
  } else if (mapped_ > 0) {
    munmap(data_, mapped_);
  } else {
    std::free(data_);
  }
  data_ = nullptr;
  bytes_ = mapped_ = 0;
}

}  // namespace attnrt::runtime
