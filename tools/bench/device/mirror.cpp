#include "bench/device/mirror.hpp"

#include "bench/device/call.hpp"

namespace attnrt::bench {

Result<DeviceMemory> DeviceMemory::allocate(const DeviceFunctions& device, uint64_t bytes) {
  void* data = nullptr;
  const Status got = call_device("allocate", [&](attnrt_error* error) {
    return device.service->allocate(device.instance, bytes, &data, error);
  });
  if (!got) return got.error();
  return DeviceMemory(device, data);
}

void DeviceMemory::Release::operator()(void* data) const {
  // Nothing is left to do about memory that a device will not take back.
  static_cast<void>(device.service->release(device.instance, data, nullptr));
}

Result<Mirror> Mirror::of(const DeviceFunctions& device, std::vector<uint8_t> bytes) {
  Mirror mirror(device, std::move(bytes));
  if (device.service == nullptr || mirror.bytes_.empty()) return mirror;
  Result<DeviceMemory> memory = DeviceMemory::allocate(device, mirror.bytes_.size());
  if (!memory) return memory.error();
  mirror.memory_.push_back(*std::move(memory));
  if (Status s = mirror.send(); !s) return s.error();
  return mirror;
}

Status Mirror::send() {
  return memory_.empty() ? Status(Done{}) : copy(device(), bytes_.data());
}

Status Mirror::fetch() {
  return memory_.empty() ? Status(Done{}) : copy(bytes_.data(), device());
}

Status Mirror::copy(void* to, const void* from) {
  const attnrt_device_service& service = *functions_.service;
  Status copied = call_device("copy", [&](attnrt_error* error) {
    return service.copy(functions_.instance, to, from, bytes_.size(), nullptr, error);
  });
  if (!copied) return copied;
  return call_device("synchronize", [&](attnrt_error* error) {
    return service.synchronize(functions_.instance, nullptr, error);
  });
}

}  // namespace attnrt::bench
