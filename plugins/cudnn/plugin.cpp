// The cudnn plugin's entry point.
#include <attnrt/plugin.hpp>
#include <memory>

#include "attend.hpp"
#include "graph.hpp"

namespace attnrt::cudnn {
namespace {

class CudnnInstance : public cuda::MachineInstance {
 public:
  CudnnInstance(std::unique_ptr<cuda::Machine> machine, int32_t sm)
      : MachineInstance(std::move(machine)) {
    this->machine().use([&] { library_ = open_library(sm); });
  }

  std::unique_ptr<plugin::Op> prepare(std::string_view kernel,
                                      const attnrt_layer_class& c) override {
    return make_attend(machine(), *library_, make_layer(kernel, c));
  }
  std::string describe() override { return library_version() + ", " + MachineInstance::describe(); }

 private:
  std::unique_ptr<Library> library_;
};

struct CudnnPlugin {
  static std::unique_ptr<plugin::Instance> open(const plugin::Host&, const attnrt_device& device) {
    return std::make_unique<CudnnInstance>(cuda::open_machine(device), device.sm);
  }
};

}  // namespace
}  // namespace attnrt::cudnn

ATTNRT_PLUGIN(attnrt::cudnn::CudnnPlugin);
