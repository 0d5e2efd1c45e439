// Devices as the selector sees them: data that can describe a machine other than this one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/result.hpp"

namespace attnrt {

// Values are those of ATTNRT_DEVICE_*.
enum class DeviceKind : uint8_t { kCpu = 1, kCuda = 2, kRocm = 3, kXpu = 4, kSimt = 5 };

struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  int32_t ordinal = -1;                        // of a device of this machine; -1: for planning only
  int32_t sm = 0;                              // CUDA, SIMT: 90 for SM 9.0
  std::string gfx = {};                        // ROCm: "gfx942"
  std::vector<std::string> cpu_features = {};  // CPU: sorted, e.g. avx2, avx512f, fma
  friend bool operator==(const Device&, const Device&) = default;
};

// What parse_device may know of this machine; the pure core never looks for itself.
struct HostFacts {
  std::vector<std::string> cpu_features;  // sorted
  std::vector<int32_t> cuda_sms;          // of device 0, 1, …
  std::string cpu_name = {};              // as it calls itself; may be empty
};
// Reads this machine: CPUID and, where a driver is installed, its CUDA devices.
HostFacts probe_host();

// cpu (this machine's), cpu:avx2+fma, cuda:0 (this machine's), cuda:sm_120, rocm:gfx942, xpu,
// xpu:0, simt:sm_80; cpu:none is a CPU without any of the features that attnrt knows. 90a means 90.
// Errors list what is known.
Result<Device> parse_device(std::string_view text, const HostFacts& host);
// The canonical spelling; parse_device takes it back.
std::string to_string(const Device& device);
std::string_view name(DeviceKind kind);

// "90" -> {90}, "90a" -> {90}, "100f" -> {100, 103}, "120f" -> {120, 121}; empty: not understood.
std::vector<int32_t> expand_sm(std::string_view text);
// Every SM that attnrt knows, ascending.
const std::vector<int32_t>& known_sms();
// Every CPU feature and every AMD target that attnrt knows by name.
std::span<const std::string_view> known_cpu_features();
std::span<const std::string_view> known_gfx();

}  // namespace attnrt
