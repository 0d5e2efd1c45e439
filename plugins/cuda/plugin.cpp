// The cuda plugin's entry point.
#include "instance.hpp"

namespace attnrt::cuda {
namespace {

struct CudaPlugin {
  static std::unique_ptr<plugin::Instance> open(const plugin::Host&, const attnrt_device& device) {
    return std::make_unique<CudaInstance>(open_machine(device));
  }
};

}  // namespace
}  // namespace attnrt::cuda

ATTNRT_PLUGIN(attnrt::cuda::CudaPlugin);
