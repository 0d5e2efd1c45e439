// One shape, format, backend and number of threads, ready to attend: a session whose caches are
// filled and whose schedules are made.
//
// Nothing that a call reads of the KV is warm: calls go round several layers and several batches
// with blocks of their own, in a random block table, until as much KV has been walked through as
// was asked for. On a device that is not the host, calls are ordered on a stream and return at
// once. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "attnrt/bench.hpp"
#include "attnrt/load.hpp"
#include "attnrt/plan.hpp"
#include "bench/device/replay.hpp"

namespace attnrt::bench {

struct CaseOptions {
  BenchShape shape;
  Spelling format;
  std::string backend;  // a plugin's name; empty: what the selector chooses
  int32_t threads = 1;
  std::optional<Layout> layout;
  Device device;
  PluginConfig plugins;
  int64_t walked_bytes = 0;  // of KV, before a page is met again
  uint64_t seed = 1;
};

// What serves a case, by the plan of its model of one layer.
struct CasePlan {
  Format kv = Format::kBf16;
  CacheKind cache = CacheKind::kSeparate;
  DType q = DType::kBf16;
  int32_t block_size = 16;
  Layout layout = Layout::kNhd;
  std::string plugin, version, kernel;
  Request request;  // of the op that is measured
};
// Errors: kNoBackend with the rules that failed; kInvalid.
Result<CasePlan> plan_case(const CaseOptions& options, const Catalog& catalog);

// How often the caches of a shape stand in memory: layers × batches, so that all of them together
// hold the bytes to be walked through.
struct Copies {
  int32_t layers = 1;
  int32_t batches = 1;
};
Copies copies_for(double kv_bytes, int64_t walked_bytes);

class Case {
 public:
  // Errors: as plan_case, Session::open, check_timing, and kInternal where memory is short.
  static Result<std::unique_ptr<Case>> open(const CaseOptions& options,
                                            const PluginRegistry& registry);
  ~Case();

  Status attend();        // the next caches in the round
  Status check_output();  // kVerification: the last output holds NaN or infinity

  // Of the last call, [tokens, q_heads, v]; on a device, as check_output has fetched it.
  std::span<const uint8_t> output() const;
  int64_t calls_a_round() const { return int64_t{copies().layers} * copies().batches; }
  const Stream& stream() const;
  const Copies& copies() const;
  const CasePlan& plan() const;
  double walked_bytes() const;      // of KV in one round
  double huge_pages() const;        // part of the pool on huge pages; -1: not known
  std::string description() const;  // the plugin's own words

 private:
  struct Impl;
  explicit Case(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attnrt::bench
