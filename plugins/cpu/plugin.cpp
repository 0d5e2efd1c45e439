// The cpu plugin: options, the choice of instructions, and the entry point.
#include <attnrt/plugin.hpp>
#include <charconv>
#include <string_view>

#include "ops.hpp"

namespace attnrt::cpu {
namespace {

constexpr int32_t kMostThreads = 1024;

struct Options {
  std::string_view isa = "auto";
  int32_t threads = 0;
};

int32_t parse_threads(std::string_view text) {
  int32_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  plugin::require(
      error == std::errc() && end == text.data() + text.size() && n >= 1 && n <= kMostThreads,
      "option threads is '", text, "', expected a number from 1 to ", kMostThreads);
  return n;
}

Options parse_options(const attnrt_device& device) {
  Options options;
  for (uint64_t i = 0; i < device.option_count; ++i) {
    const attnrt_option& o = device.options[i];
    plugin::require(o.key != nullptr && o.value != nullptr, "option ", i, " has no key or value");
    const std::string_view key = o.key;
    if (key == "isa") {
      options.isa = o.value;
    } else if (key == "threads") {
      options.threads = parse_threads(o.value);
    } else {
      plugin::fail(ATTNRT_INVALID_ARGUMENT, "option '", key,
                   "' is unknown; the cpu plugin has: isa, threads");
    }
  }
  return options;
}

const Isa& find_isa(std::string_view name) {
  std::string why;
  const Isa* isa = choose_isa(name, why);
  if (isa == nullptr) plugin::fail(ATTNRT_UNAVAILABLE, why);
  return *isa;
}

class CpuInstance : public plugin::Instance {
 public:
  CpuInstance(const plugin::Host& host, const Options& options)
      : isa_(find_isa(options.isa)),
        context_{&isa_, &isa_.table(), Team(host, options.threads), Nodes()} {}

  std::unique_ptr<plugin::Op> prepare(std::string_view kernel,
                                      const attnrt_layer_class& c) override {
    const Layer layer = make_layer(kernel, c);
    switch (layer.op) {
      case ATTNRT_OP_APPEND:
        return make_append(context_, layer);
      case ATTNRT_OP_MERGE:
        return make_merge(context_, layer);
      default:
        return make_attend(context_, layer);
    }
  }

  std::string describe() override {
    const int32_t threads = context_.team.threads();
    return plugin::message(isa_.name, ", ", threads, threads == 1 ? " thread" : " threads",
                           context_.team.of_host() ? " of the host" : "");
  }

 private:
  const Isa& isa_;
  Context context_;
};

struct CpuPlugin {
  static std::unique_ptr<plugin::Instance> open(const plugin::Host& host,
                                                const attnrt_device& device) {
    if (device.kind != ATTNRT_DEVICE_CPU) {
      plugin::fail(ATTNRT_UNSUPPORTED, "device.kind is ", device.kind, ", expected the CPU, ",
                   ATTNRT_DEVICE_CPU);
    }
    return std::make_unique<CpuInstance>(host, parse_options(device));
  }
};

}  // namespace
}  // namespace attnrt::cpu

ATTNRT_PLUGIN(attnrt::cpu::CpuPlugin);
