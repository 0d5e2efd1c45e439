#include "attnrt/report_rows.hpp"

#include <algorithm>
#include <cstdio>

#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

constexpr size_t kP50 = 9;  // column of the first percentile

bool any_synthetic(const std::vector<RunReport>& reports) {
  return std::any_of(reports.begin(), reports.end(),
                     [](const RunReport& report) { return report.synthetic; });
}

std::string error_text(const std::optional<ErrorMeasure>& error) {
  if (!error) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", error->relative_rms);
  return text;
}

std::string rate_text(double value) {
  if (value <= 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, value < 100 ? "%.2f" : "%.0f", value);
  return text;
}

std::string ms_text(double us) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", us / 1000);
  return text;
}

// Ops of one plugin share its name: "cpu"; else "cpu, reference (append)".
std::string backend_text(const GroupReport& group) {
  std::vector<std::string> plugins;
  for (const OpBackend& backend : group.backends) {
    if (std::find(plugins.begin(), plugins.end(), backend.plugin) == plugins.end()) {
      plugins.push_back(backend.plugin);
    }
  }
  if (plugins.size() == 1) return plugins.front();
  std::vector<std::string> parts;
  for (const std::string& plugin : plugins) {
    std::vector<std::string> ops;
    for (const OpBackend& backend : group.backends) {
      if (backend.plugin == plugin) ops.emplace_back(name(backend.op));
    }
    parts.push_back(plugin + " (" + join(ops, ", ") + ")");
  }
  return join(parts, ", ");
}

std::string format_text(const GroupReport& group) {
  const std::string format(name(group.format));
  return group.spelling == format || group.spelling.empty() ? format
                                                            : group.spelling + " = " + format;
}

std::vector<std::string> group_row(const std::string& run, const GroupReport& group) {
  return {run,
          group.name,
          std::to_string(group.layers.size()),
          backend_text(group),
          format_text(group),
          error_text(group.exact),
          error_text(group.oracle),
          rate_text(group.prefill_tokens_per_s),
          rate_text(group.decode_tokens_per_s),
          "",
          "",
          "",
          rate_text(group.decode_gb_per_s),
          number_text(group.kv_bytes_per_token, 8)};
}

std::vector<std::string> whole_row(const RunReport& report) {
  return {report.name,
          "all",
          std::to_string(report.plan.layers.size()),
          "",
          "",
          error_text(report.exact),
          error_text(report.oracle),
          rate_text(report.prefill_tokens_per_s),
          rate_text(report.decode_tokens_per_s),
          "",
          "",
          "",
          rate_text(report.decode_gb_per_s),
          number_text(report.kv_bytes_per_token, 8)};
}

}  // namespace

std::vector<std::string> report_header(const std::vector<RunReport>& reports) {
  const std::string exact = any_synthetic(reports) ? ">ERR EXACT" : ">ERR MODEL";
  return {"RUN",           "LAYERS",     ">#",          "BACKEND",
          "KV FORMAT",     exact,        ">ERR ORACLE", ">PREFILL tok/s",
          ">DECODE tok/s", ">p50 ms",    ">p90 ms",     ">p99 ms",
          ">KV GB/s",      ">KV B/token"};
}

std::string error_note(const std::vector<RunReport>& reports) {
  return std::string("Errors are relative, RMS, of the attention output: ") +
         (any_synthetic(reports) ? "EXACT against attention over unrounded keys and values"
                                 : "MODEL against what the model itself computed") +
         ", ORACLE against the oracle over the same cache.\nThe percentiles are those of "
         "decode steps, all layers; GB/s is what decoding read of the cache.";
}

std::vector<std::vector<std::string>> report_rows(const RunReport& report) {
  std::vector<std::vector<std::string>> rows;
  if (report.groups.size() != 1) rows.push_back(whole_row(report));
  for (const GroupReport& group : report.groups) {
    rows.push_back(group_row(rows.empty() ? report.name : "", group));
  }
  // Steps go through all layers, so their latencies belong to the whole.
  if (!rows.empty() && report.decode.steps > 0) {
    rows.front()[kP50] = ms_text(report.decode.p50_us);
    rows.front()[kP50 + 1] = ms_text(report.decode.p90_us);
    rows.front()[kP50 + 2] = ms_text(report.decode.p99_us);
  }
  return rows;
}

std::vector<std::vector<std::string>> latency_rows(const RunReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [what, latency] :
       {std::pair("prefill", report.prefill), std::pair("decode", report.decode)}) {
    if (latency.steps == 0) continue;
    rows.push_back({rows.empty() ? report.name : "", what, std::to_string(latency.steps),
                    ms_text(latency.p50_us), ms_text(latency.p90_us), ms_text(latency.p99_us)});
  }
  return rows;
}

std::vector<std::string> report_notes(const RunReport& report) {
  std::vector<std::string> notes;
  const auto layers = static_cast<int64_t>(report.plan.layers.size());
  if (report.layers_run < layers || report.tokens < report.recorded_tokens) {
    notes.push_back("a sample was run: " + std::to_string(report.tokens) + " of " +
                    std::to_string(report.recorded_tokens) + " tokens, " +
                    std::to_string(report.layers_run) + " of " + std::to_string(layers) +
                    " layers");
  }
  for (const Error& refusal : report.refusals) {
    notes.push_back("planned again without a plugin: " + to_string(refusal));
  }
  if (!report.verified) {
    notes.push_back("WRONG NUMBERS: the error against the oracle is above " +
                    number_text(report.oracle_limit, 2));
  }
  return notes;
}

std::string data_note(const std::vector<RunReport>& reports) {
  return any_synthetic(reports) ? "synthetic data: seeded random numbers in the models' shapes"
                                : "";
}

}  // namespace attnrt::command
