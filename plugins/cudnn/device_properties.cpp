#include "device_properties.hpp"

#include <array>
#include <attnrt/plugin/error.hpp>

namespace attnrt::cudnn {
namespace {

// A device of each SM, as its data sheet and the CUDA programming guide's table have it. What does
// not bear on whether there is a plan (clocks, memory, bus) is round.
struct Device {
  int32_t sm;
  const char* name;
  int32_t multiprocessors;
  int32_t shared_bytes;  // a block may have, at most
  int32_t threads;       // of a multiprocessor
  int32_t blocks;        // of a multiprocessor
  int32_t l2_mib;
};
constexpr std::array kDevices = {
    Device{80, "A100", 108, 163 * 1024, 2048, 32, 40},
    Device{86, "A40", 84, 99 * 1024, 1536, 16, 6},
    Device{89, "L40S", 142, 99 * 1024, 1536, 24, 96},
    Device{90, "H200", 132, 227 * 1024, 2048, 32, 50},
    Device{100, "B200", 148, 227 * 1024, 2048, 32, 126},
    Device{103, "B300", 148, 227 * 1024, 2048, 32, 126},
    Device{120, "RTX PRO 6000 Blackwell", 188, 99 * 1024, 1536, 24, 128},
};
constexpr int32_t kReserved = 1024;  // bytes of shared memory that the system takes of each block

const Device& device_of(int32_t sm) {
  for (const Device& d : kDevices) {
    if (d.sm == sm) return d;
  }
  plugin::fail(ATTNRT_UNSUPPORTED, "sm_", sm,
               " is not among the devices that cuDNN is asked about");
}

}  // namespace

std::string device_properties(int32_t sm) {
  const Device& d = device_of(sm);
  return plugin::message(
      R"({"maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], )"
      R"("regsPerBlock": 65536, "warpSize": 32, "maxThreadsPerBlock": 1024, )"
      R"("maxSharedMemoryPerBlock": 49152, "maxRegistersPerSM": 65536, "pciDeviceId": 1, )"
      R"("isTccDriver": 0, "supportCoopLaunch": 1, "cudaDeviceId": 0, "driverVer": 13000, )"
      R"("smClockRateKHz": 1500000, "memClockRateKHz": 2000000, "totalGlobalMem": 42949672960, )"
      R"("multiProcessorCount": )",
      d.multiprocessors, R"(, "maxSharedMemoryPerBlockOptin": )", d.shared_bytes,
      R"(, "reservedSharedMemoryPerBlock": )", kReserved, R"(, "maxThreadsPerSM": )", d.threads,
      R"(, "maxCtasPerSM": )", d.blocks, R"(, "l2CacheSize": )", d.l2_mib * 1024 * 1024,
      R"(, "deviceVer": )", 10 * sm, R"(, "deviceName": ")", d.name, "\"}");
}

}  // namespace attnrt::cudnn
