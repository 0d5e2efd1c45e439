// The oracle: plain loops in double precision over every format and feature.
#include <attnrt/plugin.hpp>

#include "ops.hpp"
#include "workers.hpp"

namespace attnrt::reference {
namespace {

class ReferenceInstance : public plugin::Instance {
 public:
  explicit ReferenceInstance(const plugin::Host& host) : host_(host) {}

  // All kernels of the manifest share one code; their names only bound what is listed.
  std::unique_ptr<plugin::Op> prepare(std::string_view, const attnrt_layer_class& c) override {
    const Layer layer = make_layer(c);
    switch (c.op) {
      case ATTNRT_OP_APPEND:
        return make_append(host_, layer);
      case ATTNRT_OP_MERGE:
        return make_merge(layer);
      default:
        return make_attend(host_, layer);
    }
  }

  std::string describe() override {
    return plugin::message("double precision, ", worker_count(host_), " threads");
  }

 private:
  plugin::Host host_;
};

struct Reference {
  static std::unique_ptr<plugin::Instance> open(const plugin::Host& host,
                                                const attnrt_device& device) {
    if (device.kind != ATTNRT_DEVICE_CPU) {
      plugin::fail(ATTNRT_UNSUPPORTED, "device kind is ", device.kind, ", expected the CPU, ",
                   int32_t{ATTNRT_DEVICE_CPU});
    }
    plugin::require(device.option_count == 0, "unknown option '",
                    device.option_count == 0 ? "" : device.options[0].key,
                    "': this plugin has none; remove it from plugins: options: reference");
    return std::make_unique<ReferenceInstance>(host);
  }
};

}  // namespace
}  // namespace attnrt::reference

ATTNRT_PLUGIN(attnrt::reference::Reference);
