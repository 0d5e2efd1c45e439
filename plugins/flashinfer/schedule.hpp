// A batch, checked, turned into requests, planned by FlashInfer, and on its way to the device.
#pragma once

#include <attnrt/plugin.hpp>
#include <memory>

#include "kernels/cuda/machine.hpp"
#include "pages.hpp"

namespace attnrt::flashinfer {

using cuda::Fence;
using cuda::Machine;

// Bytes of the three areas for what has this capacity; do not fall as it grows.
attnrt_workspace_sizes size_workspace(const Layer& layer, int32_t multiprocessors,
                                      const Capacity& capacity);

// `most`: the capacity that every batch of a captured launch stays within; without feature graph
// each batch has its own.
class BatchSchedule : public plugin::Schedule {
 public:
  BatchSchedule(const Machine& machine, const Layer& layer, const Capacity& most,
                const attnrt_batch& batch, const attnrt_workspace& workspace, void* stream);

  void reschedule(const attnrt_batch& batch, void* stream) override;

  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] int32_t tokens() const { return tokens_; }
  // As many as launches are made for.
  [[nodiscard]] const Capacity& capacity() const { return capacity_; }
  [[nodiscard]] RequestView requests() const;
  [[nodiscard]] void* ints() const { return workspace_.state; }

 private:
  const Machine& machine_;
  const Layer& layer_;
  const Capacity most_;
  attnrt_workspace workspace_;
  std::unique_ptr<Fence> copied_;  // behind the last copies out of staging
  Capacity capacity_{};
  Plan plan_{};
  int32_t tokens_ = 0;
};

}  // namespace attnrt::flashinfer
