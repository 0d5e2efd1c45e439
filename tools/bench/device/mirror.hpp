// Bytes that the host fills and the device reads, or the other way round. Where the device is the
// host both are the same memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "attnrt/session.hpp"

namespace attnrt::bench {

// Memory of a device; given back at its end. One thread at a time.
class DeviceMemory {
 public:
  // Undefined bytes. Precondition: device.service. Errors: kInternal.
  static Result<DeviceMemory> allocate(const DeviceFunctions& device, uint64_t bytes);
  void* data() const { return data_.get(); }

 private:
  struct Release {
    DeviceFunctions device;
    void operator()(void* data) const;
  };
  DeviceMemory(const DeviceFunctions& device, void* data) : data_(data, Release{device}) {}
  std::unique_ptr<void, Release> data_;
};

class Mirror {
 public:
  // Both sides hold these bytes. Errors: kInternal.
  static Result<Mirror> of(const DeviceFunctions& device, std::vector<uint8_t> bytes);
  template <class T>
  static Result<Mirror> of(const DeviceFunctions& device, const std::vector<T>& values) {
    std::vector<uint8_t> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return of(device, std::move(bytes));
  }

  uint8_t* host() { return bytes_.data(); }
  const std::vector<uint8_t>& bytes() const { return bytes_; }
  void* device() const { return memory_.empty() ? data_ : memory_.front().data(); }
  Status send();   // the host's bytes to the device
  Status fetch();  // the device's bytes to the host

 private:
  Mirror(const DeviceFunctions& device, std::vector<uint8_t> bytes)
      : functions_(device), bytes_(std::move(bytes)), data_(bytes_.data()) {}
  Status copy(void* to, const void* from);

  DeviceFunctions functions_;
  std::vector<uint8_t> bytes_;
  void* data_;                        // bytes_, which moving leaves where they are
  std::vector<DeviceMemory> memory_;  // none on a host
};

inline attnrt_i32_array i32_array(Mirror& mirror) {
  return {static_cast<const int32_t*>(mirror.device()),
          reinterpret_cast<const int32_t*>(mirror.host())};
}
inline attnrt_i64_array i64_array(Mirror& mirror) {
  return {static_cast<const int64_t*>(mirror.device()),
          reinterpret_cast<const int64_t*>(mirror.host())};
}

}  // namespace attnrt::bench
