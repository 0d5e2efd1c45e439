// A device of the SIMT shim: the host's memory, the limits of the SM that it plays, and few
// multiprocessors, so that small batches are divided as large ones are.
#include <array>
#include <attnrt/plugin.hpp>
#include <charconv>
#include <cstring>
#include <string_view>

#include "kernels/cuda/machine.hpp"
#include "tests/simt/plugin/service_simt.hpp"
#include "tests/simt/settings.hpp"

namespace attnrt::cuda {
namespace {

using plugin::fail;

constexpr int32_t kKiB = 1024;

struct SmLimits {
  int32_t sm;
  int32_t shared_per_block;
  int32_t shared_per_multiprocessor;
};
// CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
constexpr std::array kSms = {
    SmLimits{80, 163 * kKiB, 164 * kKiB},  SmLimits{86, 99 * kKiB, 100 * kKiB},
    SmLimits{89, 99 * kKiB, 100 * kKiB},   SmLimits{90, 227 * kKiB, 228 * kKiB},
    SmLimits{100, 227 * kKiB, 228 * kKiB}, SmLimits{103, 227 * kKiB, 228 * kKiB},
    SmLimits{120, 99 * kKiB, 100 * kKiB},  SmLimits{121, 99 * kKiB, 100 * kKiB}};

DeviceLimits limits_of(int32_t sm) {
  for (const SmLimits& s : kSms) {
    if (s.sm == sm) return {2, s.shared_per_block, s.shared_per_multiprocessor};
  }
  fail(ATTNRT_UNSUPPORTED, "device.sm is ", sm, ", which this shim does not play");
}

template <class Number>
Number parse_number(std::string_view key, std::string_view text) {
  Number n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  plugin::require(error == std::errc() && end == text.data() + text.size() && n >= 1, "option ",
                  key, " is '", text, "', expected a number from 1 on");
  return n;
}

simt::Order parse_order(std::string_view key, std::string_view text) {
  if (text == "forward") return simt::Order::kForward;
  if (text == "reverse") return simt::Order::kReverse;
  if (text == "shuffled") return simt::Order::kShuffled;
  fail(ATTNRT_INVALID_ARGUMENT, "option ", key, " is '", text,
       "', expected forward, reverse or shuffled");
}

simt::Landing parse_landing(std::string_view text) {
  if (text == "early") return simt::Landing::kEarly;
  if (text == "late") return simt::Landing::kLate;
  fail(ATTNRT_INVALID_ARGUMENT, "option landing is '", text, "', expected early or late");
}

void apply(const attnrt_option& o, DeviceLimits& limits) {
  const std::string_view key = o.key;
  const std::string_view value = o.value;
  simt::Settings& settings = simt::settings();
  if (key == "landing") {
    settings.landing = parse_landing(value);
  } else if (key == "threads") {
    settings.threads = parse_order(key, value);
  } else if (key == "blocks") {
    settings.blocks = parse_order(key, value);
  } else if (key == "seed") {
    settings.seed = parse_number<uint64_t>(key, value);
  } else if (key == "multiprocessors") {
    limits.multiprocessors = parse_number<int32_t>(key, value);
  } else {
    fail(ATTNRT_INVALID_ARGUMENT, "option '", key,
         "' is unknown; there are: landing, threads, blocks, seed, multiprocessors");
  }
}

// Everything is done when a call returns.
class SimtFence : public Fence {
 public:
  void record(void*) override {}
  void wait() override {}
};

class SimtMachine : public Machine {
 public:
  SimtMachine(int32_t sm, const DeviceLimits& limits) : sm_(sm), limits_(limits) {}

  const DeviceLimits& limits() const override { return limits_; }
  std::string describe() const override { return plugin::message("the SIMT shim as sm_", sm_); }
  const attnrt_device_service* service() const override { return &simt_service(); }
  void copy(void* to, const void* from, uint64_t bytes, void*) const override {
    std::memcpy(to, from, bytes);
  }
  std::unique_ptr<Fence> make_fence() const override { return std::make_unique<SimtFence>(); }

 protected:
  int32_t enter() const override { return 0; }
  void leave(int32_t) const noexcept override {}

 private:
  int32_t sm_;
  DeviceLimits limits_;
};

}  // namespace

std::unique_ptr<Machine> open_machine(const attnrt_device& device) {
  if (device.kind != ATTNRT_DEVICE_SIMT) {
    fail(ATTNRT_UNSUPPORTED, "device.kind is ", device.kind, ", expected SIMT, ",
         ATTNRT_DEVICE_SIMT);
  }
  DeviceLimits limits = limits_of(device.sm);
  simt::settings() = {};
  simt::settings().max_shared_bytes = static_cast<uint32_t>(limits.shared_per_block);
  simt::settings().bulk_copies = device.sm >= 90;
  for (uint64_t i = 0; i < device.option_count; ++i) apply(device.options[i], limits);
  return std::make_unique<SimtMachine>(device.sm, limits);
}

}  // namespace attnrt::cuda
