// One request against the rows of a catalog.
#pragma once

#include <vector>

#include "select/compiled.hpp"
#include "select/measured_rows.hpp"

namespace attnrt {

// Planning wants every plugin, running only those with code.
enum class Purpose : uint8_t { kPlan, kRun };

// What a plan may choose about a layer's cache; the rest of a request is given.
struct Cell {
  Format kv = Format::kBf16;
  int32_t block_size = 16;
  Layout layout = Layout::kNhd;
  friend bool operator==(const Cell&, const Cell&) = default;
};

// Keeps what a request asks as bits. Holds references: catalog and policy must outlive it.
class Matcher {
 public:
  // `request` is normalised already.
  Matcher(const Request& request, const Catalog& catalog, const Policy& policy,
          Purpose purpose = Purpose::kPlan);

  // Bits of the rules that fail: all but kv, block_size and layout; those three; all.
  uint32_t failed_fixed(const KernelRow& row) const;
  uint32_t failed_cell(const KernelRow& row, const Cell& cell) const;
  uint32_t failed(const KernelRow& row) const {
    return failed_fixed(row) | failed_cell(row, cell_);
  }

  // Smaller is better: the policy's rank, the score (handed out anew among measured kernels), the
  // measured rank, the plugin's name, the catalog's order.
  struct Preference {
    uint32_t policy_rank = 0;
    int32_t negative_score = 0;
    uint32_t measured_rank = 0;
    uint32_t name_rank = 0;
    friend auto operator<=>(const Preference&, const Preference&) = default;
  };
  Preference preference(const KernelRow& row) const;
  // The milliseconds of a row that the profile has measured; 0: it has not.
  double measured_ms(const KernelRow& row) const;

  const Catalog::Compiled& compiled() const { return compiled_; }

 private:
  bool block_size_listed(const KernelRow& row, int32_t block_size) const;
  bool rows_aligned(const KernelRow& row, const Cell& cell) const;

  const Catalog::Compiled& compiled_;
  Cell cell_;
  bool uses_cache_;       // all ops but merge
  bool uses_groups_;      // prefill, decode, mixed
  bool uses_out_;         // all ops but append
  int32_t query_tokens_;  // 0: no rule
  uint32_t formats_ = 0;  // those that exist for this cache and head size
  uint64_t features_;
  uint8_t device_, op_, q_, out_, cache_bit_, tensors_, pages_;
  int32_t alignment_;  // bytes: the request's, and that of packed tensors' rows
  PageGeometry page_;
  int64_t page_rows_;  // bytes: the alignment of rows in the request's own cell
  uint32_t sm_ = 0, gfx_ = 0;
  std::vector<uint8_t> head_dim_listed_;    // per set of Compiled
  std::vector<uint8_t> block_size_listed_;  // for the request's own block size
  std::vector<uint8_t> group_listed_;
  std::vector<uint32_t> plugin_failed_;  // needs, policy, plugin
  std::vector<uint32_t> plugin_rank_;    // the policy's
  std::vector<MeasuredRow> measured_;    // a row each; empty: no profile speaks of this request
};

}  // namespace attnrt
