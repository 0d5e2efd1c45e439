#include "run/report.hpp"

#include <algorithm>
#include <numeric>
#include <string>

namespace attnrt::runtime {
namespace {

double half_unit(DType dtype) {
  switch (dtype) {
    case DType::kBf16:
      return 0x1p-9;
    case DType::kF16:
      return 0x1p-12;
    default:
      return 0x1p-25;
  }
}

double per_second(double amount, double us) {
  return us > 0 ? amount / us * 1e6 : 0;
}

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

std::optional<ErrorMeasure> measured(const ErrorSum& sum) {
  if (sum.empty()) return std::nullopt;
  return sum.measure();
}

std::string group_name(const Plan& plan, size_t index) {
  const auto plain = [](const CacheGroup& g) {
    return g.window > 0 ? "sliding_window " + std::to_string(g.window) : std::string("full");
  };
  const std::string name = plain(plan.groups[index]);
  int same = 0;
  int before = 0;
  for (size_t i = 0; i < plan.groups.size(); ++i) {
    if (plain(plan.groups[i]) != name) continue;
    ++same;
    before += i < index ? 1 : 0;
  }
  return same == 1 ? name : name + " #" + std::to_string(before + 1);
}

// Layers of a group share a cache, not always their backends.
std::vector<OpBackend> backends(const Plan& plan, const CacheGroup& group, const Catalog& catalog) {
  std::vector<OpBackend> list;
  for (const int32_t layer : group.layers) {
    for (const OpDecision& op : plan.layers[static_cast<size_t>(layer)].ops) {
      const Manifest& manifest = catalog.entries()[op.plugin].manifest;
      const OpBackend backend{op.op, manifest.name, manifest.kernels[op.kernel].name};
      if (std::find(list.begin(), list.end(), backend) == list.end()) list.push_back(backend);
    }
  }
  return list;
}

// As the pool cuts its memory.
double stored_bytes(Session& session, size_t group) {
  return bytes_per_token(session.pool().layout().groups[group],
                         session.plan().groups[group].page.block_size);
}

GroupReport make_group(const ReportInputs& in, size_t index) {
  const Plan& plan = in.session.plan();
  const CacheGroup& group = plan.groups[index];
  const LayerPlan& first = plan.layers[static_cast<size_t>(group.layers.front())];
  const GroupTimes& times = in.result.groups[index];
  GroupReport report;
  report.name = group_name(plan, index);
  report.layers = group.layers;
  report.backends = backends(plan, group, in.catalog);
  report.format = first.kv;
  report.spelling = first.spelling;
  report.block_size = first.block_size;
  report.layout = first.layout;
  report.exact = measured(in.result.exact[index]);
  report.oracle = measured(in.oracle[index]);
  report.prefill_us = times.prefill_us;
  report.decode_us = times.decode_us;
  report.prefill_tokens_per_s =
      per_second(static_cast<double>(in.result.prefill_tokens), times.prefill_us);
  report.decode_tokens_per_s =
      per_second(static_cast<double>(in.result.decode_tokens), times.decode_us);
  report.decode_gb_per_s = per_second(times.decode_kv_bytes * 1e-9, times.decode_attend_us);
  report.kv_bytes_per_token = stored_bytes(in.session, index);
  return report;
}

void add_totals(const ReportInputs& in, RunReport& report) {
  ErrorSum exact;
  ErrorSum oracle;
  double kv_bytes = 0;
  double attend_us = 0;
  for (size_t g = 0; g < report.groups.size(); ++g) {
    exact.add(in.result.exact[g]);
    oracle.add(in.oracle[g]);
    kv_bytes += in.result.groups[g].decode_kv_bytes;
    attend_us += in.result.groups[g].decode_attend_us;
    report.kv_bytes_per_token += report.groups[g].kv_bytes_per_token;
  }
  report.exact = measured(exact);
  report.oracle = measured(oracle);
  report.decode_gb_per_s = per_second(kv_bytes * 1e-9, attend_us);
  report.prefill_tokens_per_s =
      per_second(static_cast<double>(in.result.prefill_tokens), sum(in.result.prefill_steps_us));
  report.decode_tokens_per_s =
      per_second(static_cast<double>(in.result.decode_tokens), sum(in.result.decode_steps_us));
  report.prefill = latency_of(in.result.prefill_steps_us);
  report.decode = latency_of(in.result.decode_steps_us);
}

void judge(const ReportInputs& in, RunReport& report) {
  if (!report.oracle) return;
  const Plan& plan = in.session.plan();
  report.oracle_limit = in.config.verify->max_error.value_or(rounding_limit(plan.q, plan.out));
  for (const GroupReport& group : report.groups) {
    // Written so that NaN fails.
    if (group.oracle && !(group.oracle->relative_rms <= report.oracle_limit)) {
      report.verified = false;
    }
  }
}

}  // namespace

double rounding_limit(DType q, DType out) {
  const double arithmetic = q == DType::kF32 ? 1e-4 : half_unit(q) + 1e-4;
  return arithmetic + half_unit(out);
}

RunReport make_report(const ReportInputs& in) {
  RunReport report;
  report.name = in.config.name;
  report.model = in.config.model.name;
  report.device = to_string(in.config.device);
  report.synthetic = in.source.synthetic();
  report.plan = in.session.plan();
  report.plugins = in.session.plugins();
  report.refusals = in.session.refusals();
  report.sequences = static_cast<int64_t>(in.source.sequences().size());
  report.tokens = in.result.prefill_tokens + in.result.decode_tokens;
  report.recorded_tokens = in.source.recorded_tokens();
  report.layers_run = static_cast<int32_t>(in.layers.size());
  for (size_t g = 0; g < report.plan.groups.size(); ++g) {
    report.groups.push_back(make_group(in, g));
  }
  add_totals(in, report);
  judge(in, report);
  return report;
}

}  // namespace attnrt::runtime
