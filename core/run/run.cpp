// A run from its configuration to its report.
#include "attnrt/run.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "run/convert.hpp"
#include "run/executor.hpp"
#include "run/instance.hpp"
#include "run/layer_inputs.hpp"
#include "run/oracle.hpp"
#include "run/report.hpp"
#include "run/session_options.hpp"

namespace attnrt {
namespace runtime {
namespace {

constexpr uint64_t kSampleSeed = 9;

Result<std::unique_ptr<TensorSource>> open_workload(const RunConfig& config) {
  if (const auto* recorded = std::get_if<RecordedWorkload>(&config.workload)) {
    if (recorded->file.find('/') == std::string::npos) {
      return Error{ErrorCode::kInvalid, config.place("workload.file"),
                   "a cache folder where recordings are looked for (XDG_CACHE_HOME, or HOME)",
                   "neither is an absolute path",
                   "set one of them, or write the file's path: ./" + recorded->file};
    }
    return open_recording(*recorded, config.model);
  }
  return make_synthetic(std::get<SyntheticWorkload>(config.workload), config.model);
}

int32_t chunk_tokens(const RunConfig& config) {
  return std::visit([](const auto& workload) { return workload.chunk_tokens; }, config.workload);
}

// The layers to run: all, or some of each group, evenly spread.
std::vector<int32_t> layers_to_run(const RunConfig& config, const Plan& plan) {
  const auto* recorded = std::get_if<RecordedWorkload>(&config.workload);
  const size_t all = plan.layers.size();
  const size_t wanted = recorded == nullptr || recorded->layers == 0
                            ? all
                            : std::min(all, static_cast<size_t>(recorded->layers));
  std::vector<int32_t> layers;
  for (const CacheGroup& group : plan.groups) {
    const size_t have = group.layers.size();
    const size_t share = std::clamp<size_t>((wanted * have + all / 2) / all, 1, have);
    for (size_t i = 0; i < share; ++i) layers.push_back(group.layers[i * have / share]);
  }
  std::sort(layers.begin(), layers.end());
  return layers;
}

Status check_run(const RunConfig& config, const Plan& plan) {
  if (!is_host(config.device.kind)) {
    return Error{ErrorCode::kInvalid, config.where, "a device whose memory is the host's",
                 to_string(config.device),
                 "run on cpu; the engine API serves other devices (attnrt/session.hpp)"};
  }
  for (const DType dtype : {plan.q, plan.out}) {
    if (convertible(dtype)) continue;
    return Error{ErrorCode::kInvalid, config.where, "q and out of f32, f16 or bf16",
                 std::string(name(dtype)), "an 8-bit dtype needs scales that no workload has"};
  }
  for (const LayerPlan& layer : plan.layers) {
    const LayerGeometry& g = layer.geometry;
    const bool recorded = std::holds_alternative<RecordedWorkload>(config.workload);
    if (g.mask == Feature::kCausal && !(recorded && g.sinks)) continue;
    return Error{ErrorCode::kInvalid, config.where,
                 recorded ? "causal layers without sinks" : "causal layers",
                 "layer " + std::to_string(layer.index) + " with " + std::string(name(g.mask)) +
                     (g.sinks ? " and sinks" : ""),
                 "the workload has not got what they need; use the engine API"};
  }
  return Done{};
}

class Run {
 public:
  Run(const RunConfig& config, const PluginRegistry& registry, const Progress& progress)
      : config_(config), registry_(registry), progress_(progress) {}

  Result<RunReport> report() {
    const auto begin = std::chrono::steady_clock::now();
    Result<Plan> plan = plan_run(config_, registry_.catalog());
    if (!plan) return plan.error();
    if (Status s = check_oracle_name(config_, registry_.catalog()); !s) return s.error();
    if (Status s = check_run(config_, *plan); !s) return s.error();
    Result<std::unique_ptr<TensorSource>> source = open_workload(config_);
    if (!source) return source.error();
    source_ = std::move(*source);
    timeline_ = make_timeline(source_->sequences(), chunk_tokens(config_));
    Result<Session> session = Session::open(*plan, registry_, options(*plan));
    if (!session) return session.error();
    Result<RunReport> result = execute(*session);
    if (result) result->seconds = micros_since(begin) * 1e-6;
    return result;
  }

 private:
  SessionOptions options(const Plan& plan) const {
    SessionOptions o = session_options(config_, plan, source_->sequences());
    o.max_sequences = 1;
    o.max_tokens = 1;
    for (const TimelineStep& step : timeline_) {
      o.max_sequences = std::max(o.max_sequences, static_cast<int32_t>(step.slices.size()));
      o.max_tokens = std::max(o.max_tokens, step.tokens());
    }
    if (config_.plugins.on_refusal == PluginConfig::OnRefusal::kReplan) {
      o.replan = replan_without(config_.model, config_.device, config_.plan_options(),
                                registry_.catalog());
    }
    return o;
  }

  std::function<void(double)> part(const char* what, double from, double to) const {
    return [this, what, from, to](double done) {
      if (progress_) progress_(config_.name + ": " + what, from + done * (to - from));
    };
  }

  Result<RunReport> execute(Session& session) {
    const Plan& plan = session.plan();
    const std::vector<int32_t> layers = layers_to_run(config_, plan);
    const RowSample sample(source_->sequences(), config_.verify ? config_.verify->sample : 0,
                           kSampleSeed);
    LayerInputs inputs;
    if (Status s = inputs.set(session, *source_, layers); !s) return s.error();
    Executor executor(session, *source_, layers, sample);
    Result<ExecutionResult> result =
        executor.run(timeline_, part("running", 0, config_.verify ? 0.6 : 1));
    if (!result) return result.error();

    std::vector<ErrorSum> oracle(plan.groups.size());
    if (config_.verify) {
      const std::vector<int32_t> judged = judged_layers(plan, layers);
      Status s = compare(plan, judged, sample, OracleRequest::Cache::kAsPlanned, *result, oracle);
      if (!s) return s.error();
      if (source_->synthetic()) {  // nothing was recorded: judge formats by an exact cache
        s = compare(plan, layers, sample, OracleRequest::Cache::kF32, *result, result->exact);
        if (!s) return s.error();
      }
    }
    return make_report({config_, registry_.catalog(), session, *source_, layers, *result, oracle});
  }

  // Layers that another plugin than the oracle has run.
  std::vector<int32_t> judged_layers(const Plan& plan, const std::vector<int32_t>& layers) const {
    std::vector<int32_t> judged;
    for (const int32_t layer : layers) {
      const LayerPlan& l = plan.layers[static_cast<size_t>(layer)];
      const bool other = std::any_of(l.ops.begin(), l.ops.end(), [&](const OpDecision& op) {
        return registry_.catalog().entries()[op.plugin].manifest.name != config_.verify->against;
      });
      if (other) judged.push_back(layer);
    }
    return judged;
  }

  Status compare(const Plan& plan, const std::vector<int32_t>& layers, const RowSample& sample,
                 OracleRequest::Cache cache, const ExecutionResult& ours,
                 std::vector<ErrorSum>& sums) {
    if (layers.empty()) return Done{};
    const OracleRequest request{config_, registry_, *source_, layers, sample, cache, plan};
    const bool exact = cache == OracleRequest::Cache::kF32;
    Result<std::vector<std::vector<float>>> wanted =
        ask_oracle(request, part("verifying", exact ? 0.8 : 0.6, exact ? 1 : 0.8));
    if (!wanted) return wanted.error();
    for (const int32_t layer : layers) {
      const auto i = static_cast<size_t>(layer);
      sums[plan.layers[i].group].add(ours.sampled[i].data(), (*wanted)[i].data(),
                                     static_cast<int64_t>((*wanted)[i].size()));
    }
    return Done{};
  }

  const RunConfig& config_;
  const PluginRegistry& registry_;
  const Progress& progress_;
  std::unique_ptr<TensorSource> source_;
  std::vector<TimelineStep> timeline_;
};

}  // namespace
}  // namespace runtime

Result<RunReport> run(const RunConfig& config, const PluginRegistry& registry,
                      const Progress& progress) {
  return runtime::Run(config, registry, progress).report();
}

}  // namespace attnrt
