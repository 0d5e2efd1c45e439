// What crosses from the plugin to its kernels: plain structs, by value or in device memory.
#pragma once

#include <stdint.h>

namespace attnrt::cuda {

// What the bytes of a cache's rows are. kE4m3Rows: e4m3 with a scale a row.
enum class Format : int32_t {
  kF16,
  kBf16,
  kE4m3,
  kE4m3Rows,
  kE5m2,
  kInt8,
  kNvfp4,
  kInt4,
  kDsMlaV32
};

constexpr int element_bits(Format f) {
  if (f == Format::kNvfp4 || f == Format::kInt4) return 4;
  return f == Format::kF16 || f == Format::kBf16 ? 16 : 8;
}
// fp8_ds_mla_v32: e4m3 in stretches with an f32 scale each, the scales, then bf16.
constexpr int kStretches = 4;
constexpr int kStretch = 128;
constexpr int kStretched = kStretches * kStretch;
constexpr int kUnscaledAt = kStretched + kStretches * 4;  // bytes
constexpr bool has_stretches(Format f) {
  return f == Format::kDsMlaV32;
}
// What the first values of a row are.
constexpr Format elements_of(Format f) {
  return has_stretches(f) || f == Format::kE4m3Rows ? Format::kE4m3 : f;
}
constexpr int row_bytes(Format f, int dim) {
  if (has_stretches(f) && dim > kStretched) return kUnscaledAt + (dim - kStretched) * 2;
  return dim * element_bits(f) / 8;
}

// Values of nvfp4 that share a scale.
constexpr int kScaledBlock = 16;
constexpr bool has_block_scales(Format f) {
  return f == Format::kNvfp4;
}
constexpr bool has_row_scales(Format f) {
  return f == Format::kE4m3Rows || f == Format::kInt8 || f == Format::kInt4;
}
// Whether rows are rotated, and a row's zero point is in the last four bits of its scale.
constexpr bool is_rotated(Format f) {
  return f == Format::kInt4;
}
constexpr bool has_infinities(Format f) {
  return f == Format::kF16 || f == Format::kBf16 || f == Format::kE5m2;
}
// Whether stored values may be an infinity or a NaN.
constexpr bool has_specials(Format f) {
  return f != Format::kInt8 && f != Format::kInt4;
}

enum class Dtype : int32_t { kF32, kF16, kBf16 };

enum class MaskKind : int32_t { kCausal, kFull, kTree, kPrefixLm };

// Division by a number that the host knows: n / d for 0 <= n < 2^31 (Granlund and Montgomery,
// "Division by Invariant Integers using Multiplication", 1994).
struct Divisor {
  uint32_t d;
  uint32_t multiplier;
  uint32_t shift;
};
constexpr Divisor make_divisor(uint32_t d) {
  uint32_t shift = 0;
  while ((uint64_t{1} << shift) < d) ++shift;
  const uint64_t multiplier = ((uint64_t{1} << 32) * ((uint64_t{1} << shift) - d)) / d + 1;
  return {d, static_cast<uint32_t>(multiplier), shift};
}

// One side of a paged cache; strides in bytes.
struct SideView {
  uint8_t* data;
  int64_t block_stride;
  int64_t token_stride;
  int64_t head_stride;
  uint8_t* scales;  // one f32 a row, or one e4m3 for 16 values of it, or null
  int64_t scale_block_stride;
  int64_t scale_token_stride;
  int64_t scale_head_stride;
  int32_t alignment;        // of every row: 16, 8, 4, 2 or 1 bytes
  int32_t scale_alignment;  // of every row's scales
};

// [tokens, heads, width]; strides in bytes.
struct DenseView {
  uint8_t* data;
  int64_t token_stride;
  int64_t head_stride;
  Dtype dtype;
  int32_t alignment;  // of every row, in bytes, at most 16
};

// One f32, or one a head.
struct ScaleView {
  const float* data;
  int32_t count;  // 0: 1.0
};

// Rows [row_begin, row_begin + rows) of one KV head: row r is query token r / group with head
// r % group of the KV head's group. Tokens are those of the sequence, or of several sequences over
// keys that they share, which are then looked up in the sequence's row of the block table.
struct QueryRows {
  int32_t sequence;
  int32_t kv_head;
  int32_t row_begin;
  int32_t rows;
  int32_t shared;  // the first of the tokens in `tokens`; -1: the sequence's
};
// A token of a sequence's query.
struct QueryToken {
  int32_t sequence;
  int32_t query;
};

// Of the partial results.
struct PartRange {
  int32_t first;
  int32_t count;
};

// Query rows over keys [kv_begin, kv_end) of their sequence.
struct WorkItem {
  QueryRows q;
  int32_t kv_begin;
  int32_t kv_end;
  int32_t unit;   // the first of `units` whose part this is
  int32_t units;  // so many; 0: this is the whole
  int32_t part;   // of the partial results
};

// Rows of a sequence whose context was divided among items, some perhaps of other sequences too.
struct SplitUnit {
  QueryRows q;
  PartRange parts;     // of these rows alone
  int32_t arrivals;    // items that must be done
  int32_t shared_row;  // the first of the rows among those that share keys; -1: they share none
  int32_t first_tile;  // of those rows, in `shared_tiles`
};

// How a batch's work is divided; parts of rows that share keys by tiles of kRows of them.
struct DivisionView {
  const WorkItem* items;
  const SplitUnit* units;
  const QueryToken* tokens;
  const PartRange* shared_tiles;
};

struct BatchView {
  DivisionView division;
  const int32_t* q_start;
  const int32_t* kv_len;
  const int32_t* block_table;
  int64_t block_table_stride;
  const int32_t* prefix_len;
  const uint8_t* tree_mask;
  const int64_t* tree_offset;
};

struct AttendParams {
  const BatchView* batch;     // in device memory: a replayed launch finds another batch's there
  const int32_t* first_item;  // a block works through [first_item[block], first_item[block + 1])
  uint32_t* arrived;          // items of a unit that are done; 0 between calls
  float* partials;            // [parts][kRows][partial_width(dim_v)]
  DenseView q;
  DenseView out;
  float* lse;
  int64_t lse_token_stride;  // elements
  int64_t lse_head_stride;
  SideView k;
  SideView v;
  ScaleView k_scale;
  ScaleView v_scale;
  const float* sinks;
  const float* alibi_slopes;
  Divisor block_size;
  Divisor group;
  int32_t dim_qk;
  int32_t dim_v;
  int32_t latent;
  int32_t swizzled;  // scales of V are moved within four tokens (kernels/codec/nvfp4_swizzled.h)
  int32_t window;    // 0: none
  MaskKind mask;
  float softmax_scale;
  float softcap;  // 0: none
  int32_t slots;  // of the ring of tiles in shared memory, at least 2
};

struct AppendParams {
  DenseView k;
  DenseView v;
  SideView k_side;
  SideView v_side;
  ScaleView k_scale;
  ScaleView v_scale;
  const int64_t* slots;
  int64_t tokens;
  int32_t heads;
  int32_t dim_k;
  int32_t dim_v;     // 0: no V of its own
  int32_t swizzled;  // as in AttendParams
  int32_t block_size;
  unsigned long long* nan_count;  // or null
};

}  // namespace attnrt::cuda
