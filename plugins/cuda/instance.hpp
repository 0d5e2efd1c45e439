// What `open` makes: a device, and ops on it.
#pragma once

#include <memory>

#include "kernels/cuda/machine.hpp"
#include "ops.hpp"

namespace attnrt::cuda {

class CudaInstance : public MachineInstance {
 public:
  using MachineInstance::MachineInstance;

  std::unique_ptr<plugin::Op> prepare(std::string_view kernel,
                                      const attnrt_layer_class& c) override {
    const Layer layer = make_layer(kernel, c);
    return layer.op == ATTNRT_OP_APPEND ? make_append(machine(), layer)
                                        : make_attend(machine(), layer);
  }
};

}  // namespace attnrt::cuda
