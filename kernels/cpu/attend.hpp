// A work item from begin to end: rows of q in, tiles of keys and values, rows of out or a partial
// result out.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// At most so many query rows read pages directly; beyond, packing a tile pays.
constexpr int kStreamLimit = 2 * kGemmRows;

// A thread's buffers, cut out of its scratch. Row r of q and out stands at r * stride.
struct Buffers {
  float* q;
  float* out;
  float* scores;  // [rows][kTile]
  float* keys;
  float* values;
  float* line;  // one row in order
  RowState state;
  int64_t q_stride;
  int64_t out_stride;
};

inline int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

// With base null it only counts. Returns the floats used.
inline int64_t cut(const LayerParams& layer, float* base, Buffers& b) {
  int64_t used = 0;
  const auto take = [&](int64_t floats) {
    float* at = base == nullptr ? nullptr : base + used;
    used += round_up(floats, 16);
    return at;
  };
  b.q_stride = round_up(layer.dim_qk, kRowPad);
  b.out_stride = round_up(layer.dim_v, kRowPad);
  b.q = take(kMaxRows * b.q_stride);
  b.out = take(kMaxRows * b.out_stride);
  b.scores = take(int64_t{kMaxRows} * kTile);
  b.keys = take(kTile * b.q_stride);
  b.values = take(kTile * b.out_stride);
  b.line = take(b.q_stride > b.out_stride ? b.q_stride : b.out_stride);
  b.state = {take(kMaxRows), take(kMaxRows), take(kMaxRows)};
  return used;
}

inline float scale_of(const ScaleView& scale, int64_t head) {
  if (scale.data == nullptr || scale.count == 0) return 1.0F;
  return scale.data[scale.count == 1 ? 0 : head];
}

// Which query token and head a row of an item is: heads of the group follow each other.
struct RowPlace {
  int64_t token;  // in the batch
  int32_t query;  // in the sequence
  int32_t head;
};
template <class Item>
ATTNRT_INLINE RowPlace place_of(const AttendParams& p, const Item& item, int r) {
  const int32_t query = item.q_begin + r / p.layer.group;
  return {int64_t{p.batch.q_start[item.sequence]} + query, query,
          item.kv_head * p.layer.group + r % p.layer.group};
}

// Widened, permuted rows of q; rows up to a multiple of kGemmRows are zeros.
template <Format F>
inline void load_queries(const AttendParams& p, const WorkItem& item, int rows, Buffers& b) {
  for (int r = 0; r < rows; ++r) {
    const RowPlace place = place_of(p, item, r);
    const uint8_t* q = p.q.data + place.token * p.q.token_stride + place.head * p.q.head_stride;
    widen_row(p.q.dtype, q, p.layer.dim_qk, b.line);
    permute_row<F>(b.line, p.layer.dim_qk, b.q + r * b.q_stride);
  }
  const int all = static_cast<int>(round_up(rows, kGemmRows));
  for (int r = rows; r < all; ++r) {
    memset(b.q + r * b.q_stride, 0, static_cast<size_t>(b.q_stride) * sizeof(float));
    memset(b.scores + r * kTile, 0, kTile * sizeof(float));
    b.state.alpha[r] = 1.0F;
  }
  memset(b.out, 0, static_cast<size_t>(all * b.out_stride) * sizeof(float));
  for (int r = 0; r < rows; ++r) {
    b.state.m[r] = kMinusInfinity;
    b.state.l[r] = 0.0F;
  }
}

// Scores to weights for all rows of a tile. Returns whether a row gives a key no weight at all.
template <Format F>
inline bool weigh(const AttendParams& p, const WorkItem& item, int rows, int32_t begin,
                  const ScoreRule& rule, const KeyRows& keys, Buffers& b) {
  constexpr bool kRowScales = F == Format::kInt8;
  bool hidden = false;
  RowMask mask{};
  int32_t masked_query = -1;
  const int32_t first_position =
      p.batch.kv_len[item.sequence] -
      (p.batch.q_start[item.sequence + 1] - p.batch.q_start[item.sequence]);
  for (int r = 0; r < rows; ++r) {
    const RowPlace place = place_of(p, item, r);
    float* s = b.scores + r * kTile;
    const float slope = rule.alibi == nullptr ? 0.0F : rule.alibi[place.head];
    hidden |= finish_scores<kRowScales>(rule, slope, begin - (first_position + place.query), keys.n,
                                        keys.k_scale, s);
    if (place.query != masked_query) {
      mask = row_mask(p, item.sequence, place.query);
      masked_query = place.query;
    }
    if (!all_visible(mask, begin, begin + keys.n)) {
      hide_masked(mask, begin, keys.n, s);
      hidden = true;
    }
    weigh_row<kRowScales>(keys.n, keys.v_scale, s, b.state, r);
  }
  return hidden;
}

template <Format F>
inline void add_values_separately(const AttendParams& p, const WorkItem& item, int rows,
                                  int32_t begin, const KeyRows& keys, Buffers& b) {
  for (int r = 0; r < rows; ++r) {
    const RowMask mask = row_mask(p, item.sequence, place_of(p, item, r).query);
    accumulate_visible<F>(b.scores + r * kTile, keys, mask, begin, p.layer.dim_v, b.state.alpha[r],
                          b.out + r * b.out_stride);
  }
}

template <Format F>
inline void score_tile(const AttendParams& p, int rows, const KeyRows& keys, const KeyRows* next,
                       Buffers& b) {
  const int dim = p.layer.dim_qk;
  if (rows > kStreamLimit) {
    pack_keys<F>(keys, dim, b.keys);
    multiply<false>(b.q, b.q_stride, b.keys, int64_t{padded(dim)} * kChunk, padded(dim),
                    padded(keys.n), static_cast<int>(round_up(rows, kGemmRows)), b.state.alpha,
                    b.scores, kTile);
    return;
  }
  by_row_blocks(rows, [&]<int R>(int r) {
    score_rows<F, R>(b.q + r * b.q_stride, b.q_stride, keys, dim, r == 0 ? next : nullptr,
                     b.scores + r * kTile);
  });
}

template <Format F>
inline void add_values(const AttendParams& p, int rows, const KeyRows& keys, const KeyRows* next,
                       Buffers& b) {
  const int dim = p.layer.dim_v;
  if (rows > kStreamLimit) {
    pack_values<F>(keys, dim, b.values);
    multiply<true>(b.scores, kTile, b.values, int64_t{kTile} * kChunk, keys.n, padded(dim),
                   static_cast<int>(round_up(rows, kGemmRows)), b.state.alpha, b.out, b.out_stride);
    return;
  }
  by_row_blocks(rows, [&]<int R>(int r) {
    accumulate_rows<F, R>(b.scores + r * kTile, keys, dim, r == 0 ? next : nullptr,
                          b.state.alpha + r, b.out + r * b.out_stride, b.out_stride);
  });
}

template <Format F>
inline void attend_tiles(const AttendParams& p, const WorkItem& item, int rows, Buffers& b) {
  const ScoreRule rule{p.layer.softmax_scale * scale_of(p.k_scale, item.kv_head) * value_factor(F),
                       p.layer.softcap, p.alibi_slopes};
  KeyRows tiles[2];
  find_rows<F>(p, item, item.kv_begin, item.kv_end, tiles[0]);
  int current = 0;
  for (int32_t begin = item.kv_begin; begin < item.kv_end; begin += kTile) {
    const KeyRows& keys = tiles[current];
    const KeyRows* next = nullptr;
    if (begin + kTile < item.kv_end) {
      find_rows<F>(p, item, begin + kTile, item.kv_end, tiles[1 - current]);
      next = &tiles[1 - current];
    }
    score_tile<F>(p, rows, keys, next, b);
    const bool hidden = weigh<F>(p, item, rows, begin, rule, keys, b);
    if (hidden && has_special_values<F>(keys, p.layer.dim_v)) {
      add_values_separately<F>(p, item, rows, begin, keys, b);
    } else {
      add_values<F>(p, rows, keys, next, b);
    }
    current = 1 - current;
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
