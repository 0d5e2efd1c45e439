// What `attnrt bench` is to measure: shapes from a CSV file or YAML, formats, backends, threads.
// Typed values and their readers only; measuring is the command's business (tools/bench).
// Errors (kInvalid) carry file:line:column. Thread-safe; load_* read files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/config.hpp"

namespace attnrt {

// One call of attend: a batch of sequences, each with q_len query tokens at the end of its keys,
// causal. All have kv_len keys, or only the first has them and all others rest_kv_len.
struct BenchShape {
  std::string name;
  std::string phase;        // as written: decode, speculative, prefill, chunk
  Op op = Op::kDecode;      // kDecode or kPrefill
  int32_t batch = 1;        // sequences
  int32_t q_len = 1;        // tokens; 1 <= q_len <= kv_len
  int32_t kv_len = 1;       // tokens, with the query's own
  int32_t rest_kv_len = 0;  // of every sequence but the first, at most kv_len; 0: kv_len
  int32_t q_heads = 1;      // a multiple of kv_heads
  int32_t kv_heads = 1;
  HeadDim head_dim;
  std::optional<int32_t> block_size;  // empty: the plan's choice
  std::string where;                  // file:line:column

  int32_t kv_len_of(int32_t sequence) const {
    return sequence == 0 || rest_kv_len == 0 ? kv_len : rest_kv_len;
  }
  // Tokens of all sequences.
  int64_t kv_tokens() const { return kv_len + int64_t{batch - 1} * kv_len_of(1); }
};

// CSV: a header with the columns name, phase, batch, q_len, kv_len, q_heads, kv_heads, head_dim
// and, if wanted, block and rest_kv_len, in any order; then a shape a line. head_dim: N, or QK/V
// (576/512: a latent cache). phase: decode, speculative (a decode of several query tokens),
// prefill, chunk (a prefill behind keys that are stored already). Fields may be quoted. Nothing
// else is taken: unknown, missing or repeated columns, a field too many or too few, a name twice.
Result<std::vector<BenchShape>> parse_shapes(std::string_view csv, const std::string& origin);
Result<std::vector<BenchShape>> load_shapes(const std::string& path);

// How long is measured.
struct BenchEffort {
  int32_t min_iterations = 9;  // the median of fewer says little
  int32_t iterations = 0;      // exactly so many; 0: by time
  double min_seconds = 0.5;    // of a figure
  int32_t kv_mib = 0;          // KV that is walked before a page is met again; 0: chosen, >= 256
};

struct BenchConfig {
  std::string where;
  Device device;
  PluginConfig plugins;
  std::vector<BenchShape> shapes;
  std::vector<Spelling> formats;      // never empty
  std::vector<std::string> backends;  // plugins' names; empty: what the selector chooses
  std::vector<int32_t> threads;       // 0: one a CPU; never empty
  std::optional<Layout> layout;       // empty: the plan's choice
  BenchEffort effort;
  uint64_t seed = 1;
  // Files to write, as named; empty: not wanted.
  std::string json, html, png, profile_out;
  Places places;  // "bench.backends", "report.html", "plugins.prefer.0"
};
// YAML: device, plugins, bench: {shapes, formats, backends, threads, layout, iterations,
// min_iterations, min_seconds, kv_mib, seed, profile_out} and report: {json, html, png}.
Result<BenchConfig> load_bench(const std::string& path, const ConfigContext& context);
Result<BenchConfig> parse_bench(std::string_view yaml, const std::string& origin,
                                const ConfigContext& context);

}  // namespace attnrt
