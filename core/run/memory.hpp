// Memory of a session: on the host, or on a device through the plugin's device service.
#pragma once

#include <cstdint>
#include <utility>

#include "attnrt/result.hpp"
#include "attnrt/session.hpp"

namespace attnrt::runtime {

// Waits until the device has done the stream's work; nothing to wait for on the host.
Status wait_for(const DeviceFunctions& device, void* stream);

// One allocation; released at the end of its life. 0 bytes: null.
class Memory {
 public:
  enum class Place : uint8_t { kDevice, kStaging };  // staging: host memory, pinned for a device

  Memory() = default;
  Memory(Memory&& other) noexcept { *this = std::move(other); }
  Memory& operator=(Memory&& other) noexcept;
  ~Memory() { release(); }

  // Zeroed. Large host areas are backed by huge pages where the system has them. `allocator`, if it
  // has functions, gives a device's memory.
  static Result<Memory> allocate(const DeviceFunctions& device, const DeviceAllocator& allocator,
                                 Place place, uint64_t bytes, uint64_t alignment);
  void* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  void release();
  Status take(uint64_t alignment);  // bytes_ of a device's memory
  [[nodiscard]] bool from_engine() const {
    return allocator_.allocate != nullptr && place_ == Place::kDevice;
  }

  DeviceFunctions device_;
  DeviceAllocator allocator_;
  Place place_ = Place::kDevice;
  void* data_ = nullptr;
  uint64_t bytes_ = 0;
  uint64_t mapped_ = 0;  // host: bytes of the mapping; 0: from the allocator
};

}  // namespace attnrt::runtime
