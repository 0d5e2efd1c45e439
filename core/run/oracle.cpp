#include "run/oracle.hpp"

#include <algorithm>
#include <string>

#include "run/layer_inputs.hpp"
#include "run/session_options.hpp"
#include "run/step_batch.hpp"

namespace attnrt::runtime {
namespace {

constexpr uint64_t kShuffleSeed = 77;
constexpr int32_t kRowsAtOnce = 64;

Error cannot_judge(const std::string& plugin, const Request& request, std::string found) {
  return Error{ErrorCode::kNoBackend, "verify against '" + plugin + "'",
               "a kernel for " + std::string(name(request.op)) + " of " +
                   std::string(name(request.kv)) + ", head size " +
                   std::to_string(request.head_dim.qk),
               std::move(found), "verify against another plugin, or leave verify out"};
}

// The same request served by the oracle, with outputs that are not rounded to 16 bits.
Result<OpDecision> choose(const OpDecision& planned, Format kv, const OracleRequest& r) {
  OpDecision op = planned;
  op.request.kv = kv;
  if (op.op != Op::kAppend) op.request.out = DType::kF32;
  Policy policy;
  policy.require = r.config.verify->against;
  const Decision decision = select(op.request, r.registry.catalog(), policy);
  if (!decision.chosen) {
    std::string found;
    for (const Candidate& c : decision.candidates) {
      if (r.registry.catalog().entries()[c.plugin].manifest.name != policy.require) continue;
      found.clear();
      for (const FailedRule& f : explain(c, op.request, r.registry.catalog(), policy)) {
        found += (found.empty() ? "" : ", ") + std::string(name(f.rule)) + " " + f.asked;
      }
      found += " not listed";
    }
    return cannot_judge(policy.require, op.request, found);
  }
  op.plugin = decision.candidates[*decision.chosen].plugin;
  op.kernel = decision.candidates[*decision.chosen].kernel;
  return op;
}

// The run's plan with every op given to the oracle; block sizes and layouts stay.
Result<Plan> oracle_plan(const OracleRequest& r) {
  Plan plan = r.plan;
  plan.out = DType::kF32;
  const bool exact = r.cache == OracleRequest::Cache::kF32;
  for (LayerPlan& layer : plan.layers) {
    if (exact) layer.kv = Format::kF32;
    std::vector<OpDecision> ops;
    for (const OpDecision& planned : layer.ops) {
      if (planned.op == Op::kMixed) continue;
      Result<OpDecision> op = choose(planned, layer.kv, r);
      if (!op) return op.error();
      ops.push_back(std::move(*op));
    }
    layer.ops = std::move(ops);
  }
  for (CacheGroup& group : plan.groups) {
    if (exact) group.page.format = Format::kF32;
    Result<int64_t> bytes = page_bytes(group.page);
    if (!bytes) return bytes.error();
    group.page_bytes = *bytes;
  }
  return plan;
}

class Oracle {
 public:
  Oracle(Session& session, const OracleRequest& r)
      : session_(session), r_(r), caches_(session, r.source.sequences(), kShuffleSeed) {}

  Status store() {
    for (size_t s = 0; s < r_.source.sequences().size(); ++s) {
      const Slice slice{static_cast<int32_t>(s), 0, r_.source.sequences()[s].length()};
      const std::span<const Slice> slices(&slice, 1);
      Result<std::span<const attnrt_batch>> batches = caches_.extend(slices);
      if (!batches) return batches.error();
      Result<Step> step = session_.begin(*batches);
      if (!step) return step.error();
      for (const int32_t layer : r_.layers) {
        if (Status stored = append(*step, layer, slices); !stored) return stored;
      }
    }
    return Done{};
  }

  Result<std::vector<std::vector<float>>> attend(const std::function<void(double)>& progress) {
    const std::vector<RowSample::Row>& rows = r_.sample.rows();
    std::vector<std::vector<float>> outputs(session_.plan().layers.size());
    for (const int32_t layer : r_.layers) {
      outputs[static_cast<size_t>(layer)].resize(rows.size() * row_values(layer));
    }
    for (size_t first = 0; first < rows.size(); first += kRowsAtOnce) {
      const size_t end = std::min(rows.size(), first + kRowsAtOnce);
      std::vector<Slice> slices;
      for (size_t i = first; i < end; ++i)
        slices.push_back({rows[i].sequence, rows[i].position, 1});
      Result<Step> step = session_.begin(caches_.look_back(slices));
      if (!step) return step.error();
      for (const int32_t layer : r_.layers) {
        float* to = outputs[static_cast<size_t>(layer)].data() + first * row_values(layer);
        if (Status s = attend_rows(*step, layer, slices, to); !s) return s.error();
      }
      if (progress) progress(static_cast<double>(end) / static_cast<double>(rows.size()));
    }
    return outputs;
  }

 private:
  const LayerGeometry& geometry(int32_t layer) const {
    return session_.plan().layers[static_cast<size_t>(layer)].geometry;
  }
  size_t row_values(int32_t layer) const {
    return static_cast<size_t>(geometry(layer).q_heads * geometry(layer).head_dim.v);
  }

  Status append(Step& step, int32_t layer, std::span<const Slice> slices) {
    const LayerGeometry& g = geometry(layer);
    const DType dtype = session_.plan().q;
    const TensorView k = a_.gather(r_.source, RowBuffer::Tensor::kK, layer, g, slices, dtype);
    if (g.cache == CacheKind::kLatent) return step.append(layer, k, {});
    return step.append(layer, k,
                       b_.gather(r_.source, RowBuffer::Tensor::kV, layer, g, slices, dtype));
  }

  Status attend_rows(Step& step, int32_t layer, std::span<const Slice> slices, float* out) {
    const LayerGeometry& g = geometry(layer);
    const TensorView q =
        a_.gather(r_.source, RowBuffer::Tensor::kQ, layer, g, slices, session_.plan().q);
    return step.attend(layer, q,
                       make_tensor(out, DType::kF32, {q.shape[0], g.q_heads, g.head_dim.v}));
  }

  Session& session_;
  const OracleRequest& r_;
  SequenceCaches caches_;
  RowBuffer a_, b_;
};

}  // namespace

Result<std::vector<std::vector<float>>> ask_oracle(const OracleRequest& r,
                                                   const std::function<void(double)>& progress) {
  Result<Plan> plan = oracle_plan(r);
  if (!plan) return plan.error();
  int32_t longest = kRowsAtOnce;
  for (const SequenceSpec& s : r.source.sequences()) longest = std::max(longest, s.length());
  SessionOptions options = session_options(r.config, *plan, r.source.sequences());
  options.max_sequences = kRowsAtOnce;
  options.max_tokens = longest;
  options.replan = nullptr;
  Result<Session> session = Session::open(std::move(*plan), r.registry, std::move(options));
  if (!session) return session.error();
  LayerInputs inputs;
  if (Status s = inputs.set(*session, r.source, r.layers); !s) return s.error();
  Oracle oracle(*session, r);
  if (Status s = oracle.store(); !s) return s.error();
  return oracle.attend(progress);
}

}  // namespace attnrt::runtime
