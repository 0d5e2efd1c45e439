// Memory of a plugin's device for one call: each array an allocation of its own, so that a
// sanitizer sees what reads or writes beyond it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "attnrt/plugin.h"

namespace attnrt::conformance {

class DeviceMemory {
 public:
  // service null: a host device.
  DeviceMemory(const attnrt_device_service* service, attnrt_instance* instance)
      : service_(service), instance_(instance) {}
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();

  // Device memory; every byte is `fill`. Null for 0 bytes. Throws std::runtime_error.
  void* allocate(uint64_t bytes, uint64_t alignment, uint8_t fill);
  void* allocate_host(uint64_t bytes,
                      uint64_t alignment);  // staging; pinned where there is a device
  // A copy on the device.
  void* put(const void* from, uint64_t bytes);
  template <class T>
  T* put(const std::vector<T>& from) {
    return static_cast<T*>(put(from.data(), from.size() * sizeof(T)));
  }
  void get(void* to, const void* from, uint64_t bytes);
  void synchronize();

 private:
  struct Block {
    void* data;
    bool pinned;
  };
  const attnrt_device_service* service_;
  attnrt_instance* instance_;
  std::vector<Block> blocks_;
};

// What a plugin answered in place of ATTNRT_OK.
struct Answer : std::runtime_error {
  Answer(attnrt_status s, const std::string& text) : std::runtime_error(text), status(s) {}
  attnrt_status status;
};

// Throws Answer with the plugin's text unless status is ATTNRT_OK.
class Caller {
 public:
  attnrt_error* error() { return &error_; }
  void check(attnrt_status status, const char* what) const;

 private:
  char text_[512] = "";
  attnrt_error error_{text_, sizeof text_};
};

}  // namespace attnrt::conformance
