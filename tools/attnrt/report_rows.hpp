// A run's report as rows of cells, for the text table and the page alike.
#pragma once

#include <string>
#include <vector>

#include "attnrt/run.hpp"

namespace attnrt::command {

// Titles of columns; those that begin with '>' hold numbers. The error of recorded data is that
// against the model's own output, of synthetic data that against exact attention.
std::vector<std::string> report_header(const std::vector<RunReport>& reports);
// What the two errors are, in a sentence.
std::string error_note(const std::vector<RunReport>& reports);
// One row a layer group; of runs with several groups, a row for the whole first.
std::vector<std::vector<std::string>> report_rows(const RunReport& report);

inline const std::vector<std::string> kLatencyHeader{"RUN",     "STEPS",   ">COUNT",
                                                     ">p50 ms", ">p90 ms", ">p99 ms"};
std::vector<std::vector<std::string>> latency_rows(const RunReport& report);

// What else is to be said of it: samples, re-plans, failed verification.
std::vector<std::string> report_notes(const RunReport& report);

// "synthetic data: …", if any of the runs had it; else "".
std::string data_note(const std::vector<RunReport>& reports);

}  // namespace attnrt::command
