// In the CUDA runtime's place, for FlashInfer's plans: a device that the host plays. Only what they
// call.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/machine.hpp"

namespace attnrt::flashinfer::testing {

inline constexpr int kMultiprocessors = 6;

inline std::unique_ptr<cuda::Machine> open_host() {
  attnrt_device device{};
  device.struct_size = sizeof device;
  device.kind = ATTNRT_DEVICE_SIMT;
  device.sm = 90;
  const std::string multiprocessors = std::to_string(kMultiprocessors);
  const attnrt_option option{"multiprocessors", multiprocessors.c_str()};
  device.options = &option;
  device.option_count = 1;
  return cuda::open_machine(device);
}

}  // namespace attnrt::flashinfer::testing
