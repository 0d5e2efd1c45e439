// A run's report as rows of cells, for the text table and the page alike.
#pragma once

#include <string>
#include <vector>

#include "attnrt/run.hpp"

namespace attnrt::command {

// Titles of columns; those that begin with '>' hold numbers.
inline const std::vector<std::string> kReportHeader{
    "RUN",           "LAYERS",     ">#",          "BACKEND",
    "KV FORMAT",     ">ERR MODEL", ">ERR ORACLE", ">PREFILL tok/s",
    ">DECODE tok/s", ">KV GB/s",   ">KV B/token"};
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
