// Runs a workload's steps through a session: times what the engine would wait for, compares what
// comes back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "attnrt/session.hpp"
#include "run/measure.hpp"
#include "run/row_sample.hpp"
#include "run/step_batch.hpp"
#include "run/tensor_source.hpp"
#include "run/timeline.hpp"

namespace attnrt::runtime {

// Times and bytes of a layer group.
struct GroupTimes {
  double prefill_us = 0;  // append and attend of steps that prefill
  double decode_us = 0;   // of steps that only decode
  double decode_attend_us = 0;
  double decode_kv_bytes = 0;  // that attention over the visible keys has to read
};

struct ExecutionResult {
  std::vector<GroupTimes> groups;
  std::vector<ErrorSum> exact;              // a group; against the model's recording
  std::vector<std::vector<float>> sampled;  // a model layer: outputs of the sample's rows
  std::vector<double> prefill_steps_us;     // schedule, append and attend of all layers run
  std::vector<double> decode_steps_us;
  int64_t prefill_tokens = 0;
  int64_t decode_tokens = 0;
};

class Executor {
 public:
  // All references outlive the executor. layers: those to run, ascending.
  Executor(Session& session, const TensorSource& source, const std::vector<int32_t>& layers,
           const RowSample& sample);
  // progress: the part that is done, 0 … 1.
  Result<ExecutionResult> run(const std::vector<TimelineStep>& timeline,
                              const std::function<void(double)>& progress);

 private:
  Status run_step(const TimelineStep& step);
  Result<double> run_layer(Step& step, const TimelineStep& now, int32_t layer);
  void compare(const TimelineStep& now, int32_t layer);
  double kv_bytes(const TimelineStep& now, const LayerPlan& layer) const;

  Session& session_;
  const TensorSource& source_;
  const std::vector<int32_t>& layers_;
  const RowSample& sample_;
  SequenceCaches caches_;
  ExecutionResult result_;
  RowBuffer q_, k_, v_;
  std::vector<uint8_t> out_;
  std::vector<float> out_f32_;
};

// Microseconds since `begin`.
double micros_since(std::chrono::steady_clock::time_point begin);

}  // namespace attnrt::runtime
