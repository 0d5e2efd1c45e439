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
  uint64_t* unseen;  // by row, see softmax.hpp
  uint8_t* staged;   // K's rows of a tile, then V's
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
  b.scores = take(int64_t{kMaxRows + kRowPad} * kTile);
  b.keys = take(kTile * b.q_stride);
  b.values = take(kTile * b.out_stride);
  b.line = take(b.q_stride > b.out_stride ? b.q_stride : b.out_stride);
  b.state = {take(kMaxRows), take(kMaxRows), take(kMaxRows)};
  b.unseen = reinterpret_cast<uint64_t*>(take(2 * kMaxRows));
  const int64_t staged = is_staged(layer.format) ? kTile * (b.q_stride + b.out_stride) : 0;
  b.staged = reinterpret_cast<uint8_t*>(take(staged));
  return used;
}

inline float scale_of(const ScaleView& scale, int64_t head) {
  if (scale.data == nullptr || scale.count == 0) return 1.0F;
  return scale.data[scale.count == 1 ? 0 : head];
}

// Which query token and head a row is: KV heads, in them tokens, in them the heads of the group.
struct RowPlace {
  int64_t token;  // in the batch
  int32_t sequence;
  int32_t query;  // in the sequence
  int32_t head;
};
ATTNRT_INLINE RowPlace place_of(const AttendParams& p, const QueryRows& q, int r) {
  const int32_t per_head = q.q_count * p.layer.group;
  const int32_t kv_head = q.kv_head + r / per_head;
  const int32_t i = q.q_begin + r % per_head / p.layer.group;
  const TokenPlace at = q.shared != 0 ? p.shared_tokens[i] : TokenPlace{q.sequence, i};
  return {int64_t{p.batch.q_start[at.sequence]} + at.query, at.sequence, at.query,
          kv_head * p.layer.group + r % p.layer.group};
}

ATTNRT_INLINE int rows_of(const AttendParams& p, const QueryRows& q) {
  return q.kv_heads * q.q_count * p.layer.group;
}

// Whether scores are dot products of bf16 pairs; then rows of q stand as bf16, in order.
template <Format F>
ATTNRT_INLINE bool uses_dot(const AttendParams& p, const QueryRows& q) {
  return Bf16Dot::kAvailable && F == Format::kBf16 && p.q.dtype == Dtype::kBf16 &&
         q.q_count * p.layer.group <= kStreamLimit;
}

inline void load_queries_in_order(const AttendParams& p, const QueryRows& q, int rows, Buffers& b) {
  const auto bytes = static_cast<size_t>(2 * p.layer.dim_qk);
  const auto row_bytes = static_cast<size_t>(b.q_stride) * sizeof(float);
  for (int r = 0; r < rows; ++r) {
    const RowPlace place = place_of(p, q, r);
    float* to = b.q + r * b.q_stride;
    memcpy(to, p.q.data + place.token * p.q.token_stride + place.head * p.q.head_stride, bytes);
    memset(reinterpret_cast<uint8_t*>(to) + bytes, 0, row_bytes - bytes);
  }
}

// Widened, permuted rows of q.
template <Format F>
inline void load_queries(const AttendParams& p, const QueryRows& q, int rows, Buffers& b) {
  if (uses_dot<F>(p, q)) return load_queries_in_order(p, q, rows, b);
  for (int r = 0; r < rows; ++r) {
    const RowPlace place = place_of(p, q, r);
    const uint8_t* from = p.q.data + place.token * p.q.token_stride + place.head * p.q.head_stride;
    widen_row(p.q.dtype, from, p.layer.dim_qk, b.line);
    permute_row<F>(b.line, p.layer.dim_qk, b.q + r * b.q_stride);
  }
}

// Nothing seen yet; rows up to a multiple of kGemmRows are zeros.
inline void clear_rows(int rows, Buffers& b) {
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

// One KV head's share of a tile: rows [first, first + rows) of the item's.
struct HeadTile {
  const AttendParams& p;
  const QueryRows& q;
  int32_t begin;  // the first key's position
  int head;       // within the item
  int first;
  int rows;
  HeadKeys k;
  HeadKeys v;
};

// Scores to weights for all rows. Returns whether a row gives a key no weight at all.
template <bool kRowScales>
inline bool weigh(const HeadTile& t, const RowScales& scales, float value_scale, Buffers& b) {
  const AttendParams& p = t.p;
  const float scale =
      p.layer.softmax_scale * scale_of(p.k_scale, t.q.kv_head + t.head) * value_scale;
  const ScoreRule rule{scale, p.layer.softcap, p.alibi_slopes};
  const int n = t.k.n;
  bool hidden = false;
  RowMask mask{};
  int64_t masked_token = -1;
  for (int r = t.first; r < t.first + t.rows; ++r) {
    const RowPlace place = place_of(p, t.q, r);
    float* s = b.scores + r * kTile;
    const float slope = rule.alibi == nullptr ? 0.0F : rule.alibi[place.head];
    const int32_t position = position_of(p, place.sequence, place.query);
    bool unseen = finish_scores<kRowScales>(rule, slope, t.begin - position, n, scales.k, s);
    if (place.token != masked_token) {
      mask = row_mask(p, place.sequence, place.query);
      masked_token = place.token;
    }
    if (!all_visible(mask, t.begin, t.begin + n)) {
      hide_masked(mask, t.begin, n, s);
      unseen = true;
    }
    b.unseen[r] = unseen ? unseen_keys(n, s) : 0;
    hidden |= unseen;
    weigh_row<kRowScales>(n, scales.v, s, b.state, r);
  }
  return hidden;
}

template <Format F>
inline void add_values_separately(const HeadTile& t, Buffers& b) {
  for (int r = t.first; r < t.first + t.rows; ++r) {
    accumulate_seen<F>(b.scores + r * kTile, t.v, b.unseen[r], t.p.layer.dim_v, b.state.alpha[r],
                       b.out + r * b.out_stride);
  }
}

template <Format F>
inline void score_tile(const HeadTile& t, Prefetcher* next, Buffers& b) {
  const int dim = t.p.layer.dim_qk;
  if (t.rows > kStreamLimit) {
    pack_keys<F>(t.k, dim, b.keys);
    multiply<false>(b.q, b.q_stride, b.keys, int64_t{padded(dim)} * kChunk, padded(dim),
                    padded(t.k.n), static_cast<int>(round_up(t.rows, kGemmRows)), b.state.alpha,
                    b.scores, kTile);
    return;
  }
  if constexpr (Bf16Dot::kAvailable && F == Format::kBf16) {
    if (uses_dot<F>(t.p, t.q)) {
      return by_row_blocks(t.rows, [&]<int R>(int r) {
        const int row = t.first + r;
        score_rows_dot<Bf16Dot, R>(reinterpret_cast<const uint8_t*>(b.q + row * b.q_stride),
                                   b.q_stride * 4, t.k, dim, r == 0 ? next : nullptr,
                                   b.scores + row * kTile);
      });
    }
  }
  by_row_blocks(t.rows, [&]<int R>(int r) {
    const int row = t.first + r;
    score_rows<F, R>(b.q + row * b.q_stride, b.q_stride, t.k, dim, r == 0 ? next : nullptr,
                     b.scores + row * kTile);
  });
}

template <Format F>
inline void add_values(const HeadTile& t, Prefetcher* next, Buffers& b) {
  const int dim = t.p.layer.dim_v;
  if (t.rows > kStreamLimit) {
    pack_values<F>(t.v, dim, b.values);
    multiply<true>(b.scores, kTile, b.values, int64_t{kTile} * kChunk, t.v.n, padded(dim),
                   static_cast<int>(round_up(t.rows, kGemmRows)), b.state.alpha, b.out,
                   b.out_stride);
    return;
  }
  by_row_blocks(t.rows, [&]<int R>(int r) {
    const int row = t.first + r;
    accumulate_rows<F, R>(b.scores + row * kTile, t.v, dim, r == 0 ? next : nullptr,
                          b.state.alpha + row, b.out + row * b.out_stride, b.out_stride);
  });
}

// What to fetch ahead of a tile: its own V during the scores, the next one's K during the sums.
struct Ahead {
  Prefetcher v;
  Prefetcher next_k;
};

template <Format F>
inline Ahead make_ahead(const AttendParams& p, const QueryRows& q, const KeyRows& keys,
                        const KeyRows* next) {
  const bool latent = p.layer.latent != 0;  // then V has come with K
  return {{keys.v, latent ? 0 : keys.n, q.kv_heads, p.v.head_stride, row_bytes(F, p.layer.dim_v)},
          {next == nullptr ? keys.k : next->k, next == nullptr ? 0 : next->n, q.kv_heads,
           p.k.head_stride, row_bytes(F, p.layer.dim_qk)}};
}

// The staged rows of a head.
template <Format F>
inline HeadTile stage_tile(const HeadTile& t, StagedTile& rows, const Buffers& b) {
  constexpr int kBytes = element_bytes(computed_as(F));
  rows.k = b.staged;
  rows.k_stride = kBytes * b.q_stride;
  rows.v = t.p.layer.latent != 0 ? rows.k : rows.k + kTile * rows.k_stride;
  rows.v_stride = t.p.layer.latent != 0 ? rows.k_stride : kBytes * b.out_stride;
  stage_head<F>(t.p, t.q.sequence, t.q.kv_head + t.head, t.begin, t.k, t.v, rows);
  list_staged(t.k.n, rows);
  return {
      t.p, t.q, t.begin, t.head, t.first, t.rows, {rows.k_rows, 0, t.k.n}, {rows.v_rows, 0, t.v.n}};
}

template <Format F>
inline void add_tile(const HeadTile& t, bool hidden, Prefetcher* next, Buffers& b) {
  if (hidden && has_special_values<F>(t.v, t.p.layer.dim_v)) {
    add_values_separately<F>(t, b);
  } else {
    add_values<F>(t, next, b);
  }
}

// All heads of an item over one tile. Items of several heads have few rows a head (division.cpp).
template <Format F>
inline void attend_tile(const AttendParams& p, const QueryRows& q, int32_t begin,
                        const KeyRows& keys, const KeyRows* next, Buffers& b) {
  constexpr bool kRowScales = has_row_scales(F);
  const int64_t v_stride = p.layer.latent != 0 ? p.k.head_stride : p.v.head_stride;
  Ahead ahead = make_ahead<F>(p, q, keys, next);
  const int rows = q.q_count * p.layer.group;
  const auto tile_of = [&](int h) {
    return HeadTile{p,
                    q,
                    begin,
                    h,
                    h * rows,
                    rows,
                    {keys.k, h * p.k.head_stride, keys.n},
                    {keys.v, h * v_stride, keys.n}};
  };
  RowScales scales;
  if constexpr (is_staged(F)) {
    StagedTile staged;
    for (int h = 0; h < q.kv_heads; ++h) {
      const HeadTile tile = stage_tile<F>(tile_of(h), staged, b);
      score_tile<computed_as(F)>(tile, &ahead.v, b);
      add_tile<computed_as(F)>(tile, weigh<false>(tile, scales, staged_factor(F), b), &ahead.next_k,
                               b);
    }
    return;
  }
  bool hidden[kMaxRows];
  for (int h = 0; h < q.kv_heads; ++h) {
    const HeadTile tile = tile_of(h);
    if constexpr (kRowScales) find_scales(p, q.sequence, q.kv_head + h, begin, keys.n, scales);
    score_tile<computed_as(F)>(tile, &ahead.v, b);
    hidden[h] = weigh<kRowScales>(tile, scales, value_factor(F), b);
  }
  for (int h = 0; h < q.kv_heads; ++h) {
    add_tile<computed_as(F)>(tile_of(h), hidden[h], &ahead.next_k, b);
  }
}

// Calls body(begin, rows, rows of the next tile or null) for each tile of an item's keys.
template <Format F, class Body>
ATTNRT_INLINE void for_tiles(const AttendParams& p, const WorkItem& item, Body body) {
  KeyRows tiles[2];
  find_rows(p, item.rows, item.kv_begin, item.kv_end, tiles[0]);
  Prefetcher first(tiles[0].k, tiles[0].n, item.rows.kv_heads, p.k.head_stride,
                   row_bytes(F, p.layer.dim_qk));
  first.all();
  int current = 0;
  for (int32_t begin = item.kv_begin; begin < item.kv_end; begin += kTile) {
    const KeyRows* next = nullptr;
    if (begin + kTile < item.kv_end) {
      find_rows(p, item.rows, begin + kTile, item.kv_end, tiles[1 - current]);
      next = &tiles[1 - current];
    }
    body(begin, tiles[current], next);
    current = 1 - current;
  }
}

template <Format F>
inline void attend_tiles(const AttendParams& p, const WorkItem& item, Buffers& b) {
  for_tiles<F>(p, item, [&](int32_t begin, const KeyRows& keys, const KeyRows* next) {
    attend_tile<F>(p, item.rows, begin, keys, next, b);
  });
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
