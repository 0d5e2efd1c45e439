// What `open` makes: a device, and ops on it.
#pragma once

#include <attnrt/plugin.hpp>
#include <memory>

#include "machine.hpp"
#include "ops.hpp"

namespace attnrt::cuda {

class CudaInstance : public plugin::Instance {
 public:
  explicit CudaInstance(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}

  std::unique_ptr<plugin::Op> prepare(std::string_view kernel,
                                      const attnrt_layer_class& c) override {
    const Layer layer = make_layer(kernel, c);
    return layer.op == ATTNRT_OP_APPEND ? make_append(*machine_, layer)
                                        : make_attend(*machine_, layer);
  }
  std::string describe() override { return machine_->describe(); }
  const attnrt_device_service* device_service() override { return machine_->service(); }
  [[nodiscard]] const Machine& machine() const { return *machine_; }

 private:
  std::unique_ptr<Machine> machine_;
};

}  // namespace attnrt::cuda
