// What crosses from the plugin into a kernel: plain data, no inline code.
//
// This header is included by translation units that are compiled for different instruction sets, so
// it must define no function that the linker could take from the wrong one. All memory is the
// caller's. Positions are tokens, strides are bytes.
#pragma once

#include <stdint.h>

namespace attnrt::cpu {

enum class Format : int32_t {
  kF32,
  kF16,
  kBf16,
  kE4m3,
  kE5m2,
  kE4m3Fnuz,
  kInt8,
  kFp8Row,
  kNvfp4,
  kNvfp4Swizzled,
  kDsMlaV32,
  kDsMlaV4,
  kDsMlaV41,
  kInt4
};
inline constexpr int32_t kFormats = 14;

// Formats whose rows stand rotated (rotate.hpp): int4_per_token_head.
static constexpr bool is_rotated(Format f) {
  return f == Format::kInt4;
}

// Formats whose rows have a scale of their own: int8_, fp8_ and int4_per_token_head.
static constexpr bool has_row_scales(Format f) {
  return f == Format::kInt8 || f == Format::kFp8Row || f == Format::kInt4;
}

enum class Dtype : int32_t { kF32, kF16, kBf16 };

enum class MaskKind : int32_t { kCausal, kNonCausal, kCross, kTree, kPrefixLm };

// Tokens of one step of the online softmax.
inline constexpr int32_t kTile = 64;
// Query rows (KV heads x tokens x group) of one work item at the most.
inline constexpr int32_t kMaxRows = 128;
// Rows of a thread's buffers are padded to this many floats (two vectors of the widest set).
inline constexpr int32_t kRowPad = 32;

// Formats with an e4m3 scale for each 16 values.
static constexpr bool has_block_scales(Format f) {
  return f == Format::kNvfp4 || f == Format::kNvfp4Swizzled;
}

// DeepSeek's latent rows: e4m3 codes with a scale for each run of them, and RoPE values.
static constexpr bool is_ds_mla(Format f) {
  return f == Format::kDsMlaV32 || f == Format::kDsMlaV4 || f == Format::kDsMlaV41;
}

// Formats whose scales stand apart in the cache view: for each row, or each run of a row.
static constexpr bool has_scales(Format f) {
  return has_row_scales(f) || has_block_scales(f) || is_ds_mla(f);
}

// Formats that become another's rows, exactly, before anything is computed (stage.hpp). The f32
// scales of fp8_ds_mla_v32 leave no room in a bf16. Of int4's rows the codes do, less the zero
// point.
static constexpr bool is_staged(Format f) {
  return has_block_scales(f) || is_ds_mla(f) || is_rotated(f);
}
static constexpr Format computed_as(Format f) {
  if (f == Format::kDsMlaV32) return Format::kF32;
  return is_staged(f) ? Format::kBf16 : f;
}

// Formats whose values, before row scales, are exact as bf16. Those of rotated rows are, but not the
// queries for them.
static constexpr bool exact_as_bf16(Format f) {
  return computed_as(f) != Format::kF32 && f != Format::kF16 && !is_rotated(f);
}

// A dense tensor [tokens, heads, width] with a contiguous last axis.
struct DenseView {
  uint8_t* data;
  int64_t token_stride;
  int64_t head_stride;
  Dtype dtype;
};

struct SideView {
  uint8_t* data;
  int64_t block_stride;
  int64_t token_stride;
  int64_t head_stride;
  uint8_t* scales;  // where has_scales
  int64_t scale_block_stride;
  int64_t scale_token_stride;
  int64_t scale_head_stride;
};

// A tensor's scale: one for all heads, one a head, or none (1).
struct ScaleView {
  const float* data;
  int32_t count;
};

// What does not change from call to call of an op.
struct LayerParams {
  Format format;
  MaskKind mask;
  int32_t q_heads;
  int32_t kv_heads;
  int32_t group;
  int32_t dim_qk;
  int32_t dim_v;
  int32_t block_size;
  int32_t window;          // 0: none
  int32_t latent;          // 1: V is the first dim_v values of K's row
  int32_t heads_together;  // 1: rows of all heads of a token are neighbours (nhd)
  float softmax_scale;
  float softcap;  // 0: none
};

// The batch's arrays that kernels read. Null where the layer class has no use for them.
struct BatchParams {
  const int32_t* q_start;
  const int32_t* kv_len;
  const int32_t* block_table;
  int64_t block_table_stride;
  const int32_t* prefix_len;
  const uint8_t* tree_mask;
  const int64_t* tree_offset;
};

struct TokenPlace {
  int32_t sequence;
  int32_t query;  // within the sequence
};

struct SplitUnit;
struct SharedTile;

struct AttendParams {
  LayerParams layer;
  BatchParams batch;
  DenseView q;
  DenseView out;
  uint8_t* lse;  // null: not wanted
  int64_t lse_token_stride;
  int64_t lse_head_stride;
  SideView k;
  SideView v;
  ScaleView k_scale;
  ScaleView v_scale;
  const float* sinks;
  const float* alibi_slopes;
  float* partials;
  const SplitUnit* units;
  const SharedTile* tiles;
  const TokenPlace* shared_tokens;
};

// Some query tokens with all query heads of some KV heads: of a sequence, or of several that share
// the keys in question.
struct QueryRows {
  int32_t sequence;  // whose block table leads to the keys
  int32_t kv_head;   // the first
  int32_t kv_heads;
  int32_t q_begin;  // within the sequence; shared: within AttendParams::shared_tokens
  int32_t q_count;
  int32_t shared;  // 1: tokens of several sequences
};

// One thread's share of work at a time: query rows over a range of the context.
struct WorkItem {
  QueryRows rows;
  int32_t kv_begin;
  int32_t kv_end;
  int32_t unit;     // which split unit it belongs to, or -1: this item finishes its rows alone
  int64_t partial;  // where in partials its unfinished result goes, if it belongs to a unit
};

// Items of the same rows: their partial results stand one after the other, part_floats each.
struct SplitUnit {
  QueryRows rows;
  int32_t parts;
  int64_t first;
  int64_t part_floats;
  int32_t tile;   // the shared tile that it belongs to, or -1
  int32_t token;  // its first token's place among those of the tile
  int32_t waits;  // parts, and units of shared keys, that are done before it is
};

// Query tokens of several sequences whose first keys are the same. Units of shared rows hold their
// parts over those keys; each of the followers, units of one sequence over the rest of its keys,
// finds its rows there.
struct SharedTile {
  int32_t first_unit;  // of those with shared rows: one for each unit_heads KV heads
  int32_t unit_heads;
  int32_t first_follower;
  int32_t followers;
};

struct AppendParams {
  Format format;
  Dtype dtype;  // of k and v
  int32_t kv_heads;
  int32_t dim_qk;
  int32_t dim_v;  // 0: latent, nothing to store for V
  int32_t block_size;
  DenseView k;
  DenseView v;
  SideView k_side;
  SideView v_side;
  ScaleView k_scale;
  ScaleView v_scale;
  const int64_t* slots;
};

struct MergeParams {
  int32_t parts;
  int32_t heads;
  int32_t dim;
  const DenseView* part_out;  // f32
  const DenseView* part_lse;  // f32, head_stride between heads, width 1
  DenseView out;
  uint8_t* lse;  // null: not wanted
  int64_t lse_token_stride;
  int64_t lse_head_stride;
};

}  // namespace attnrt::cpu
