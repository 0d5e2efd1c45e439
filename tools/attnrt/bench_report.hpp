// What a benchmark found, as JSON, text and a page. Roofs first, figures behind them.
#pragma once

#include <string>

#include "attnrt/json.hpp"
#include "bench/sweep.hpp"

namespace attnrt::command {

// [{name, format, threads, median_ms, min_ms, kv_gb_s, gflop_s, limit, share_of_limit}]: what other
// programs read. Where several backends were measured each also has `backend`.
Json figures_json(const bench::SweepResult& result);
// Everything: the machine, its limits, how each figure was taken.
Json bench_report_json(const bench::SweepResult& result);
std::string bench_text(const bench::SweepResult& result);
std::string bench_html(const bench::SweepResult& result);

}  // namespace attnrt::command
