// The flashinfer plugin's entry point.
#include "attend.hpp"

namespace attnrt::flashinfer {
namespace {

class FlashInferInstance : public cuda::MachineInstance {
 public:
  using MachineInstance::MachineInstance;

  std::unique_ptr<plugin::Op> prepare(std::string_view kernel,
                                      const attnrt_layer_class& c) override {
    return make_attend(machine(), make_layer(kernel, c));
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
