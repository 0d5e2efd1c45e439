// A batch, checked, divided, and on its way to the device.
#pragma once

#include <attnrt/plugin.hpp>

#include "division.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/machine.hpp"

namespace attnrt::cuda {

// Which kernel works on a batch, on how many blocks, with how much shared memory: fixed when a
// schedule is made, so that a captured launch stays right for what is rescheduled into it.
struct LaunchPlan {
  AttendKernel kernel;
  int32_t blocks;
  int32_t slots;  // of the ring of tiles
  uint32_t shared_bytes;

  [[nodiscard]] TileShape tile() const { return {block_rows(kernel), tile_keys(kernel)}; }
};

// by_rows where the format has room for the layer's columns so.
AttendKernel kernel_for(const Layer& layer, bool by_rows);

// rows: query rows of one KV head that a sequence has at the most.
LaunchPlan plan_launch(const Layer& layer, const DeviceLimits& limits, int64_t rows);

// Bytes of the three areas for batches within the bounds.
attnrt_workspace_sizes size_workspace(const Layer& layer, const DeviceLimits& limits,
                                      const attnrt_bounds& bounds);

// Holds addresses of the batch's arrays on the device, which stay valid as long as the schedule.
class BatchSchedule : public plugin::Schedule {
 public:
  BatchSchedule(const Machine& machine, const Layer& layer, const attnrt_batch& batch,
                const attnrt_workspace& workspace, void* stream);

  void reschedule(const attnrt_batch& batch, void* stream) override;

  [[nodiscard]] const LaunchPlan& launch() const { return launch_; }
  [[nodiscard]] int32_t tokens() const { return tokens_; }
  // Where the kernel finds batch and division, in device memory.
  [[nodiscard]] const BatchView* batch() const;
  [[nodiscard]] const int32_t* first_item() const;
  [[nodiscard]] uint32_t* arrived() const;

 private:
  [[nodiscard]] uint8_t* state() const { return static_cast<uint8_t*>(workspace_.state); }

  const Machine& machine_;
  const Layer& layer_;
  attnrt_workspace workspace_;
  LaunchPlan launch_;
  std::unique_ptr<Fence> copied_;  // behind the last copy out of staging
  int32_t tokens_ = 0;
};

}  // namespace attnrt::cuda
