// A run: one configuration's workload, executed over paged caches, measured and judged.
//
// run() plans, opens a session, prefills and decodes every sequence through all layers with a
// shuffled block table, and reports per layer group what ran, how wrong and how fast. Errors are of
// the attention output computed from the quantised cache against what the model itself recorded in
// fp32 (exact; synthetic data: against the oracle over an f32 cache, on the sample), and against
// the oracle with the same format. Quantised caches have one factor per tensor, calibrated from the
// prompts. Times hold schedule, append and attend (a group's: without the schedule); gathering
// inputs and comparing outputs stand outside the clock. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/config.hpp"
#include "attnrt/load.hpp"
#include "attnrt/plan.hpp"
#include "attnrt/result.hpp"
#include "attnrt/session.hpp"

namespace attnrt {

// Of all compared values of a layer group (or of the whole run).
struct ErrorMeasure {
  double relative_rms = 0;  // sqrt(sum (ours - wanted)^2 / sum wanted^2)
  double max_abs = 0;       // largest |ours - wanted|
  int64_t values = 0;       // how many were compared
};

// Of the times of single steps, all (executed) layers together, in microseconds.
struct Latency {
  int64_t steps = 0;
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
};

// What a layer group's ops run on.
struct OpBackend {
  Op op = Op::kDecode;
  std::string plugin;
  std::string kernel;
  friend bool operator==(const OpBackend&, const OpBackend&) = default;
};

struct GroupReport {
  std::string name;             // "full", "sliding_window 512"; with a number where it stands twice
  std::vector<int32_t> layers;  // of the model
  std::vector<OpBackend> backends;
  Format format = Format::kBf16;
  std::string spelling;  // as configured: "auto", "fp8", …
  int32_t block_size = 16;
  Layout layout = Layout::kNhd;
  std::optional<ErrorMeasure> exact;   // none: synthetic data without verify
  std::optional<ErrorMeasure> oracle;  // none: not wanted, or the backend is the oracle itself
  double prefill_us = 0;               // of append and attend, all layers and steps
  double decode_us = 0;
  double prefill_tokens_per_s = 0;  // tokens through all executed layers of this group
  double decode_tokens_per_s = 0;
  double decode_gb_per_s = 0;     // KV bytes that decoding had to read, 1e9 bytes a second
  double kv_bytes_per_token = 0;  // stored, of this group's layers, with padding
};

struct RunReport {
  std::string name;  // of the configuration
  std::string model;
  std::string device;
  bool synthetic = false;
  Plan plan;
  std::vector<PluginUse> plugins;
  std::vector<Error> refusals;  // plugins that a re-plan went on without
  std::vector<GroupReport> groups;

  int64_t sequences = 0;
  int64_t tokens = 0;           // through the model
  int64_t recorded_tokens = 0;  // that the workload holds; more than `tokens`: a sample was run
  int32_t layers_run = 0;       // of plan.layers; fewer: a sample was run
  std::optional<ErrorMeasure> exact;
  std::optional<ErrorMeasure> oracle;
  double oracle_limit = 0;  // largest relative_rms of a group that passes; 0: nothing to judge
  bool verified = true;     // false: beyond the limit; the command ends with kVerification
  double prefill_tokens_per_s = 0;  // all executed layers
  double decode_tokens_per_s = 0;
  double decode_gb_per_s = 0;
  Latency prefill;
  Latency decode;                 // steps that only decode; others count as prefill
  double kv_bytes_per_token = 0;  // of the model, with padding
  double seconds = 0;             // the whole run, verification included
};

// The plan of a run, or an error: bad configuration (kInvalid), no backend (kNoBackend; the text
// names layer, op and the first rules that failed).
Result<Plan> plan_run(const RunConfig& config, const Catalog& catalog);

// Called now and then from the thread of run(): what is done, and the part that is done of 0 … 1.
using Progress = std::function<void(std::string_view what, double part)>;

// Errors as plan_run, Session::open and Step; kInvalid for a recording that does not fit the model.
Result<RunReport> run(const RunConfig& config, const PluginRegistry& registry,
                      const Progress& progress = {});

}  // namespace attnrt
