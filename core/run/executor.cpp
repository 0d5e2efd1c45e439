#include "run/executor.hpp"

#include <algorithm>

#include "run/convert.hpp"

namespace attnrt::runtime {

using Clock = std::chrono::steady_clock;

namespace {

constexpr uint64_t kShuffleSeed = 20240607;

const LayerPlan& plan_of(const Session& session, int32_t layer) {
  return session.plan().layers[static_cast<size_t>(layer)];
}

}  // namespace

double micros_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

Executor::Executor(Session& session, const TensorSource& source, const std::vector<int32_t>& layers,
                   const RowSample& sample)
    : session_(session),
      source_(source),
      layers_(layers),
      sample_(sample),
      caches_(session, source.sequences(), kShuffleSeed) {
  result_.groups.resize(session.plan().groups.size());
  result_.exact.resize(session.plan().groups.size());
  result_.sampled.resize(session.plan().layers.size());
  for (const int32_t layer : layers) {
    const LayerGeometry& g = plan_of(session, layer).geometry;
    const auto row = static_cast<size_t>(g.q_heads * g.head_dim.v);
    result_.sampled[static_cast<size_t>(layer)].resize(sample.rows().size() * row);
  }
}

Result<ExecutionResult> Executor::run(const std::vector<TimelineStep>& timeline,
                                      const std::function<void(double)>& progress) {
  int64_t total = 0;
  for (const TimelineStep& step : timeline) total += step.tokens();
  int64_t done = 0;
  for (const TimelineStep& step : timeline) {
    if (Status s = run_step(step); !s) return s.error();
    done += step.tokens();
    if (progress) progress(static_cast<double>(done) / static_cast<double>(total));
  }
  return std::move(result_);
}

Status Executor::run_step(const TimelineStep& now) {
  Result<std::span<const attnrt_batch>> batches = caches_.extend(now.slices);
  if (!batches) return batches.error();
  const Clock::time_point begin = Clock::now();
  Result<Step> step = session_.begin(*batches);
  double step_us = micros_since(begin);
  if (!step) return step.error();
  for (const int32_t layer : layers_) {
    Result<double> us = run_layer(*step, now, layer);
    if (!us) return us.error();
    step_us += *us;
    compare(now, layer);
  }
  (now.decode_only ? result_.decode_steps_us : result_.prefill_steps_us).push_back(step_us);
  (now.decode_only ? result_.decode_tokens : result_.prefill_tokens) += now.tokens();
  caches_.release_passed(now.slices);
  return Done{};
}

Result<double> Executor::run_layer(Step& step, const TimelineStep& now, int32_t layer) {
  const LayerPlan& plan = plan_of(session_, layer);
  const LayerGeometry& g = plan.geometry;
  const DType q_dtype = session_.plan().q;
  const DType out_dtype = session_.plan().out;
  const TensorView q = q_.gather(source_, RowBuffer::Tensor::kQ, layer, g, now.slices, q_dtype);
  const TensorView k = k_.gather(source_, RowBuffer::Tensor::kK, layer, g, now.slices, q_dtype);
  TensorView v{};
  if (g.cache == CacheKind::kSeparate) {
    v = v_.gather(source_, RowBuffer::Tensor::kV, layer, g, now.slices, q_dtype);
  }
  const int64_t values = int64_t{now.tokens()} * g.q_heads * g.head_dim.v;
  out_.resize(static_cast<size_t>(std::max<int64_t>(values * element_bytes(out_dtype), 1)));
  const TensorView out =
      make_tensor(out_.data(), out_dtype, {now.tokens(), g.q_heads, g.head_dim.v});

  const Clock::time_point begin = Clock::now();
  if (Status s = step.append(layer, k, v); !s) return s.error();
  const Clock::time_point stored = Clock::now();
  if (Status s = step.attend(layer, q, out); !s) return s.error();
  const double attend_us = micros_since(stored);
  const double us = micros_since(begin);

  GroupTimes& times = result_.groups[plan.group];
  (now.decode_only ? times.decode_us : times.prefill_us) += us;
  if (now.decode_only) {
    times.decode_attend_us += attend_us;
    times.decode_kv_bytes += kv_bytes(now, plan);
  }
  out_f32_.resize(static_cast<size_t>(values));
  to_f32(out_.data(), values, out_dtype, out_f32_.data());
  return us;
}

void Executor::compare(const TimelineStep& now, int32_t layer) {
  const LayerPlan& plan = plan_of(session_, layer);
  const int64_t row = int64_t{plan.geometry.q_heads} * plan.geometry.head_dim.v;
  const float* ours = out_f32_.data();
  for (const Slice& slice : now.slices) {
    const float* wanted = source_.wanted(layer, slice.sequence, slice.past);
    if (wanted != nullptr) result_.exact[plan.group].add(ours, wanted, slice.tokens * row);
    const auto [first, end] = sample_.range(slice.sequence, slice.past, slice.past + slice.tokens);
    for (size_t i = first; i < end; ++i) {
      const float* from = ours + (sample_.rows()[i].position - slice.past) * row;
      float* to = result_.sampled[static_cast<size_t>(layer)].data() + i * static_cast<size_t>(row);
      std::copy(from, from + row, to);
    }
    ours += slice.tokens * row;
  }
}

double Executor::kv_bytes(const TimelineStep& now, const LayerPlan& layer) const {
  const LayerGeometry& g = layer.geometry;
  int64_t visible = 0;
  for (const Slice& slice : now.slices) {
    const int32_t keys = slice.past + slice.tokens;
    visible += g.window > 0 ? std::min(keys, g.window + slice.tokens - 1) : keys;
  }
  const Result<int64_t> k = row_bytes(layer.kv, g.head_dim.qk);
  const Result<int64_t> v = row_bytes(layer.kv, g.head_dim.v);
  int64_t token_bytes = k ? *k : 0;
  if (g.cache == CacheKind::kSeparate && v) token_bytes += *v;
  return static_cast<double>(visible * g.kv_heads * token_bytes);
}

}  // namespace attnrt::runtime
