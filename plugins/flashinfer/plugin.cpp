// The flashinfer plugin's entry point.
#include "attend.hpp"
#include "hopper_attend.hpp"
#include "xqa_attend.hpp"

namespace attnrt::flashinfer {
namespace {

class FlashInferInstance : public cuda::MachineInstance {
 public:
  using MachineInstance::MachineInstance;

  std::unique_ptr<plugin::Op> prepare(std::string_view kernel,
                                      const attnrt_layer_class& c) override {
    const Layer layer = make_layer(kernel, c);
    switch (layer.path) {
      case Path::kHopper:
        return make_hopper(machine(), layer);
      case Path::kXqa:
        return make_xqa(machine(), layer);
      case Path::kFa2:
        break;
    }
    return make_attend(machine(), layer);
  }
};

struct FlashInferPlugin {
  static std::unique_ptr<plugin::Instance> open(const plugin::Host&, const attnrt_device& device) {
    return std::make_unique<FlashInferInstance>(cuda::open_machine(device));
  }
};

}  // namespace
}  // namespace attnrt::flashinfer

ATTNRT_PLUGIN(attnrt::flashinfer::FlashInferPlugin);
