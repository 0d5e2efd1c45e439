// A batch, checked, translated, and on its way to the device.
#pragma once

#include <attnrt/plugin.hpp>
#include <memory>

#include "kernels/cuda/page_tables.hpp"
#include "plans.hpp"

namespace attnrt::cudnn {

class BatchSchedule : public plugin::Schedule {
 public:
  BatchSchedule(const cuda::Machine& machine, const Layer& layer, Plans& plans,
                const attnrt_batch& batch, const attnrt_workspace& workspace, void* stream);

  void reschedule(const attnrt_batch& batch, void* stream) override;

  [[nodiscard]] const KnownPlan& known() const { return known_; }
  [[nodiscard]] int32_t tokens() const { return tokens_; }

  // Where its arrays stand in device memory.
  [[nodiscard]] const cuda::BlockTable* table() const;
  [[nodiscard]] int32_t* array(uint64_t Arrays::*which) const;

 private:
  const cuda::Machine& machine_;
  const Layer& layer_;
  const KnownPlan& known_;
  attnrt_workspace workspace_;
  Arrays arrays_;
  std::unique_ptr<cuda::Fence> copied_;  // behind the last copy out of staging
  int32_t tokens_ = 0;
};

// The state of a schedule: a block table's address, then the arrays. Staging is as large.
uint64_t state_bytes(int32_t sequences);

}  // namespace attnrt::cudnn
