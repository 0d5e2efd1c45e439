#include "bench/device/copy_limit.hpp"

#include <algorithm>

#include "bench/device/call.hpp"
#include "bench/device/mirror.hpp"

namespace attnrt::bench {
namespace {

constexpr int32_t kRepeats = 9;

}  // namespace

Result<ReadLimit> measure_copy(const Stream& stream, int64_t bytes) {
  const DeviceFunctions& device = stream.device();
  const auto n = static_cast<uint64_t>(bytes);
  const Result<DeviceMemory> from = DeviceMemory::allocate(device, n);
  if (!from) return from.error();
  const Result<DeviceMemory> to = DeviceMemory::allocate(device, n);
  if (!to) return to.error();
  Status zeroed = call_device("zero", [&](attnrt_error* error) {
    return device.service->zero(device.instance, from->data(), n, stream.handle(), error);
  });
  if (!zeroed) return zeroed.error();
  if (Status s = stream.wait(); !s) return s.error();
  const Result<std::unique_ptr<Replay>> replay = Replay::capture(stream, [&] {
    return call_device("copy", [&](attnrt_error* error) {
      return device.service->copy(device.instance, to->data(), from->data(), n, stream.handle(),
                                  error);
    });
  });
  if (!replay) return replay.error();
  const Result<std::vector<double>> times_ms = (*replay)->play(kRepeats);
  if (!times_ms) return times_ms.error();
  const double best_ms = *std::min_element(times_ms->begin(), times_ms->end());
  return ReadLimit{"copy", bytes, 2 * static_cast<double>(bytes) / (best_ms * 1e6), {}, -1};
}

}  // namespace attnrt::bench
