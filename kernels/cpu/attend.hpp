// A work item from begin to end: rows of q in, tiles of keys and values, rows of out or a partial
// result out.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// At most so many query rows read pages directly; beyond, packing a tile pays.
constexpr int kStreamLimit = 2 * kGemmRows;
// So few keys are not worth a packed tile, whose columns are filled up to a chunk.
constexpr int kFewKeys = 4;

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

// A thread's scratch, cut into buffers that begin at multiples of 64 bytes. With base null it only
// counts.
class Scratch {
 public:
  explicit Scratch(float* base) : base_(base) {}

  template <class T = float>
  T* take(int64_t count) {
    float* at = base_ == nullptr ? nullptr : base_ + used_;
    used_ += round_up(count * int64_t{sizeof(T)}, 64) / int64_t{sizeof(float)};
    return reinterpret_cast<T*>(at);
  }
  [[nodiscard]] int64_t floats() const { return used_; }

 private:
  float* base_;
  int64_t used_ = 0;
};

inline void cut(const LayerParams& layer, Scratch& scratch, Buffers& b) {
  b.q_stride = round_up(layer.dim_qk, kRowPad);
  b.out_stride = round_up(layer.dim_v, kRowPad);
  b.q = scratch.take(kMaxRows * b.q_stride);
  b.out = scratch.take(kMaxRows * b.out_stride);
  b.scores = scratch.take(int64_t{kMaxRows + kRowPad} * kTile);
  b.keys = scratch.take(kTile * b.q_stride);
  b.values = scratch.take(kTile * b.out_stride);
  b.line = scratch.take(b.q_stride > b.out_stride ? b.q_stride : b.out_stride);
  b.state = {scratch.take(kMaxRows), scratch.take(kMaxRows), scratch.take(kMaxRows)};
  b.unseen = scratch.take<uint64_t>(kMaxRows);
  const int64_t staged = is_staged(layer.format) ? kTile * (b.q_stride + b.out_stride) : 0;
  b.staged = scratch.take<uint8_t>(staged * int64_t{sizeof(float)});
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
// Query token i of the item's: from q_begin on.
ATTNRT_INLINE TokenPlace token_of(const AttendParams& p, const QueryRows& q, int32_t i) {
  return q.shared != 0 ? p.shared_tokens[i] : TokenPlace{q.sequence, i};
}
ATTNRT_INLINE RowPlace place_of(const AttendParams& p, const QueryRows& q, int r) {
  const int32_t per_head = q.q_count * p.layer.group;
  const int32_t kv_head = q.kv_head + r / per_head;
  const int32_t i = q.q_begin + r % per_head / p.layer.group;
  const TokenPlace at = token_of(p, q, i);
  return {int64_t{p.batch.q_start[at.sequence]} + at.query, at.sequence, at.query,
          kv_head * p.layer.group + r % p.layer.group};
}

ATTNRT_INLINE const uint8_t* query_row(const AttendParams& p, const QueryRows& q, int r) {
  const RowPlace place = place_of(p, q, r);
  return p.q.data + place.token * p.q.token_stride + place.head * p.q.head_stride;
}

ATTNRT_INLINE int rows_of(const AttendParams& p, const QueryRows& q) {
  return q.kv_heads * q.q_count * p.layer.group;
}

// Formats whose K can be multiplied as bf16: stored so, or in 8 bits.
constexpr bool has_dot(Format f) {
  return Bf16Dot::kAvailable && exact_as_bf16(f) && !is_staged(f);
}

// Whether scores are dot products of bf16 pairs; then rows of q stand as Bf16Dot takes them.
template <Format F>
ATTNRT_INLINE bool uses_dot(const AttendParams& p, const QueryRows& q) {
  return has_dot(F) && p.q.dtype == Dtype::kBf16 && q.q_count * p.layer.group <= kStreamLimit;
}

template <class Dot, Format F>
inline void load_queries_for_dot(const AttendParams& p, const QueryRows& q, int rows, Buffers& b) {
  constexpr int kStep = Dot::template kStep<F>;
  for (int r = 0; r < rows; ++r) {
    const uint8_t* from = query_row(p, q, r);
    auto* to = reinterpret_cast<uint8_t*>(b.q + r * b.q_stride);
    for (int i = 0; i < p.layer.dim_qk; i += kStep) {
      typename Dot::Vector x[kStep / 32];
      Dot::template load_query<F>(from + 2 * i, p.layer.dim_qk - i, x);
      memcpy(to + 2 * i, x, sizeof x);
    }
  }
}

// Widened, permuted rows of q.
template <Format F>
inline void load_queries(const AttendParams& p, const QueryRows& q, int rows, Buffers& b) {
  if constexpr (has_dot(F)) {
    if (uses_dot<F>(p, q)) return load_queries_for_dot<Bf16Dot, F>(p, q, rows, b);
  }
  for (int r = 0; r < rows; ++r) {
    widen_row(p.q.dtype, query_row(p, q, r), p.layer.dim_qk, b.line);
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

// Head h of an item.
ATTNRT_INLINE HeadTile head_tile(const AttendParams& p, const QueryRows& q, int32_t begin, int h,
                                 const KeyRows& keys) {
  const int rows = q.q_count * p.layer.group;
  const int64_t v_stride = p.layer.latent != 0 ? p.k.head_stride : p.v.head_stride;
  return {p,
          q,
          begin,
          h,
          h * rows,
          rows,
          {keys.k, h * p.k.head_stride, keys.n, keys.k_scales, h * p.k.scale_head_stride},
          {keys.v, h * v_stride, keys.n, keys.v_scales, h * p.v.scale_head_stride}};
}

// Scales of one head's rows, 1 behind n.
struct RowScales {
  alignas(64) float k[kTile];
  alignas(64) float v[kTile];
};

inline void load_key_scales(const HeadTile& t, RowScales& scales) {
  for (int i = 0; i < t.k.n; ++i) scales.k[i] = load_scale(scales_of(t.k, i));
  for (int i = t.k.n; i < kTile; ++i) scales.k[i] = 1.0F;
}

inline void load_scales(const HeadTile& t, RowScales& scales) {
  load_key_scales(t, scales);
  for (int i = 0; i < t.k.n; ++i) scales.v[i] = load_scale(scales_of(t.v, i));
  for (int i = t.k.n; i < kTile; ++i) scales.v[i] = 1.0F;
}

// Scores to weights for all rows. Returns whether a row gives a key no weight at all. Scales: of
// each key's row, or null.
inline bool weigh(const HeadTile& t, const float* key_scales, const float* value_scales,
                  float value_scale, Buffers& b) {
  const AttendParams& p = t.p;
  const float scale =
      p.layer.softmax_scale * scale_of(p.k_scale, t.q.kv_head + t.head) * value_scale;
  const ScoreRule rule{scale, p.layer.softcap, p.alibi_slopes};
  const int n = t.k.n;
  const int first_head = (t.q.kv_head + t.head) * p.layer.group;
  bool hidden = false;
  int r = t.first;
  for (int32_t i = t.q.q_begin; i < t.q.q_begin + t.q.q_count; ++i) {
    const TokenPlace at = token_of(p, t.q, i);
    const RowMask mask = row_mask(p, at.sequence, at.query);
    const bool masked = !all_visible(mask, t.begin, t.begin + n);
    const int32_t key_minus_query = t.begin - position_of(p, at.sequence, at.query);
    for (int g = 0; g < p.layer.group; ++g, ++r) {
      float* s = b.scores + r * kTile;
      const float slope = rule.alibi == nullptr ? 0.0F : rule.alibi[first_head + g];
      const bool lost = finish_scores(rule, slope, key_minus_query, n, key_scales, s);
      if (masked) hide_masked(mask, t.begin, n, s);
      b.unseen[r] = lost || masked ? unseen_keys(n, s) : 0;
      hidden |= lost || masked;
      weigh_row(n, value_scales, s, b.state, r);
    }
  }
  return hidden;
}

inline bool weigh_scaled(const HeadTile& t, const RowScales* scales, float value_scale,
                         Buffers& b) {
  if (scales == nullptr) return weigh(t, nullptr, nullptr, value_scale, b);
  return weigh(t, scales->k, scales->v, value_scale, b);
}

// Weights of the keys [key, key + n) times the scales of V's rows, which are read here, with their
// rows: with K's they'd come out of cold memory.
template <Format F>
ATTNRT_INLINE void scale_weights(const HeadTile& t, int key, int n, Buffers& b) {
  if constexpr (has_row_scales(F)) {
    float scales[kTile];
    for (int i = 0; i < n; ++i) scales[i] = load_scale(scales_of(t.v, key + i));
    for (int r = t.first; r < t.first + t.rows; ++r) {
      float* weights = b.scores + r * kTile + key;
      for (int i = 0; i < n; ++i) weights[i] *= scales[i];
    }
  }
}

template <Format F>
inline void add_values_separately(const HeadTile& t, Buffers& b) {
  scale_weights<F>(t, 0, t.v.n, b);
  for (int r = t.first; r < t.first + t.rows; ++r) {
    accumulate_seen<F>(b.scores + r * kTile, t.v, b.unseen[r], t.p.layer.dim_v, b.state.alpha[r],
                       b.out + r * b.out_stride);
  }
}

// Raw scores of a head's rows against 4 of its keys.
template <Format F>
ATTNRT_INLINE void score_four_keys(const HeadTile& t, int key, Buffers& b) {
  const int dim = t.p.layer.dim_qk;
  by_row_blocks(
      t.rows, [&]<int R>(int r) __attribute__((always_inline)) {
        const int row = t.first + r;
        const float* q = b.q + row * b.q_stride;
        float* s = b.scores + row * kTile + key;
        if constexpr (has_dot(F)) {
          if (t.p.q.dtype == Dtype::kBf16) {
            return score4_dot<Bf16Dot, F, R>(q, b.q_stride, t.k.rows + key, t.k.offset, dim, s);
          }
        }
        score4<F, R>(q, b.q_stride, t.k.rows + key, t.k.offset, dim, s);
      });
}

// Calls body(head, key, count) for n keys of every head, kStep at a time and kTurn of a head before
// the next head's: so memory is read in order, or nearly, and a head's q or sums serve for kTurn.
template <int kTurn, int kStep, class Body>
ATTNRT_INLINE void in_turns(int heads, int n, Body body) {
  static_assert(kTurn % kStep == 0);
  for (int first = 0; first < n; first += kTurn) {
    const int stop = first + kTurn < n ? first + kTurn : n;
    for (int h = 0; h < heads; ++h) {
      for (int key = first; key < stop; key += kStep) {
        body(h, key, stop - key < kStep ? stop - key : kStep);
      }
    }
  }
}

// Raw scores of few rows.
template <Format F, class Tiles>
inline void score_few_rows(int heads, int n, Tiles tile_of, Prefetcher& ahead, Buffers& b) {
  const int bytes = row_bytes(F, tile_of(0).p.layer.dim_qk);
  in_turns<kStreamKeys, 4>(
      heads, n, [&](int h, int key, int) __attribute__((always_inline)) {
        ahead.use(4 * bytes);
        score_four_keys<F>(tile_of(h), key, b);
      });
}

// Raw scores of many rows.
template <Format F>
inline void score_many_rows(const HeadTile& t, Prefetcher& ahead, Buffers& b) {
  const int dim = padded(t.p.layer.dim_qk);
  ahead.use(t.k.n * row_bytes(F, t.p.layer.dim_qk));
  pack_keys<F>(t.k, t.p.layer.dim_qk, b.keys);
  multiply<false>(b.q, b.q_stride, b.keys, int64_t{dim} * kChunk, dim, padded(t.k.n),
                  static_cast<int>(round_up(t.rows, kGemmRows)), b.state.alpha, b.scores, kTile);
}

// Brings the sums of a head's rows to their new maxima.
inline void rescale_rows(const HeadTile& t, Buffers& b) {
  for (int r = t.first; r < t.first + t.rows; ++r) {
    const float alpha = b.state.alpha[r];
    if (alpha == 1.0F) continue;
    float* out = b.out + r * b.out_stride;
    for (int i = 0; i < b.out_stride; i += kW) store(out + i, mul(load(out + i), splat(alpha)));
  }
}

// The sums of all rows, permuted as F's values are, in order and in place.
template <Format F>
inline void restore_sums(int rows, int dim, Buffers& b) {
  for (int r = 0; r < rows; ++r) {
    float* sums = b.out + r * b.out_stride;
    restore_row<F>(sums, dim, value_factor(F), b.line);
    memcpy(sums, b.line, static_cast<size_t>(dim) * sizeof(float));
  }
}

// Keys of V that are added before the next head's turn: sums are loaded and stored as often.
constexpr int kValueKeys = 8;

template <Format F>
ATTNRT_INLINE void add_some_values(const HeadTile& t, int key, int n, Buffers& b) {
  const HeadKeys keys{t.v.rows + key, t.v.offset, n};
  scale_weights<F>(t, key, n, b);
  by_row_blocks(
      t.rows, [&]<int R>(int r) __attribute__((always_inline)) {
        const int row = t.first + r;
        accumulate_rows<F, R>(b.scores + row * kTile + key, keys, t.p.layer.dim_v,
                              b.out + row * b.out_stride, b.out_stride);
      });
}

// Weighted values of few rows, in the order of memory. Heads that are `special`: one key after the
// other for each row.
template <Format F, class Tiles>
inline void add_few_rows(int heads, int n, Tiles tile_of, const bool* special, Prefetcher& ahead,
                         Buffers& b) {
  for (int h = 0; h < heads; ++h) {
    if (special[h]) {
      add_values_separately<F>(tile_of(h), b);
    } else {
      rescale_rows(tile_of(h), b);
    }
  }
  const int bytes = row_bytes(F, tile_of(0).p.layer.dim_v);
  in_turns<kValueKeys, kValueKeys>(
      heads, n, [&](int h, int key, int count) __attribute__((always_inline)) {
        ahead.use(count * bytes);
        if (!special[h]) add_some_values<F>(tile_of(h), key, count, b);
      });
}

template <Format F>
inline void add_many_rows(const HeadTile& t, bool special, Prefetcher& ahead, Buffers& b) {
  ahead.use(t.v.n * row_bytes(F, t.p.layer.dim_v));
  if (special) return add_values_separately<F>(t, b);
  const int dim = t.p.layer.dim_v;
  scale_weights<F>(t, 0, t.v.n, b);
  pack_values<F>(t.v, dim, b.values);
  multiply<true>(b.scores, kTile, b.values, int64_t{kTile} * kChunk, t.v.n, padded(dim),
                 static_cast<int>(round_up(t.rows, kGemmRows)), b.state.alpha, b.out, b.out_stride);
}

// The staged rows of a head.
template <Format F>
inline HeadTile stage_tile(const HeadTile& t, StagedTile& rows, const Buffers& b) {
  constexpr int kBytes = element_bytes(computed_as(F));
  rows.k = b.staged;
  rows.k_stride = kBytes * b.q_stride;
  rows.v = t.p.layer.latent != 0 ? rows.k : rows.k + kTile * rows.k_stride;
  rows.v_stride = t.p.layer.latent != 0 ? rows.k_stride : kBytes * b.out_stride;
  stage_rows<F>(t.p, t.begin, t.k, t.v, rows);
  list_staged(t.k.n, rows);
  return {
      t.p, t.q, t.begin, t.head, t.first, t.rows, {rows.k_rows, 0, t.k.n}, {rows.v_rows, 0, t.v.n}};
}

// Whether a tile is used straight from its pages. Rows of q for dot products are there for few rows
// alone (uses_dot), so many of them can't be streamed.
template <Format K>
ATTNRT_INLINE bool is_streamed(const HeadTile& t) {
  if (t.rows <= kStreamLimit) return true;
  return t.k.n <= kFewKeys && !(has_dot(K) && t.p.q.dtype == Dtype::kBf16);
}

// Heads of a tile whose rows stand as K and V: scores, weights, sums. Items of several heads have
// few rows a head (division.cpp). Scales of V's own rows wait for V's turn (scale_weights); others,
// of staged rows, are the weights' at once.
template <Format K, Format V, class Tiles, class Scales>
inline void attend_heads(int heads, float value_scale, Tiles tile_of, Scales scales_of_head,
                         Prefetcher& ahead, Buffers& b) {
  const HeadTile first = tile_of(0);
  const bool few = is_streamed<K>(first);
  if (few) {
    score_few_rows<K>(heads, first.k.n, tile_of, ahead, b);
  } else {
    score_many_rows<K>(first, ahead, b);
  }
  bool special[kMaxRows];
  for (int h = 0; h < heads; ++h) {
    const HeadTile t = tile_of(h);
    const RowScales* scales = scales_of_head(h);
    const bool hidden =
        weigh(t, scales == nullptr ? nullptr : scales->k,
              scales == nullptr || has_row_scales(V) ? nullptr : scales->v, value_scale, b);
    special[h] = hidden && has_special_values<V>(t.v, t.p.layer.dim_v);
  }
  if (few) {
    add_few_rows<V>(heads, first.v.n, tile_of, special, ahead, b);
  } else {
    add_many_rows<V>(first, special[0], ahead, b);
  }
}

template <Format F>
inline void attend_tile(const AttendParams& p, const QueryRows& q, int32_t begin,
                        const KeyRows& keys, Prefetcher& ahead, Buffers& b) {
  const auto tile_of = [&](int h) { return head_tile(p, q, begin, h, keys); };
  if constexpr (is_staged(F)) {
    // One head after the other: its rows are staged where those of the last one were.
    StagedTile staged;
    for (int h = 0; h < q.kv_heads; ++h) {
      const HeadTile tile = stage_tile<F>(tile_of(h), staged, b);
      attend_heads<computed_as(F), computed_as(F)>(
          1, staged_factor(F), [&](int) { return tile; },
          [](int) -> const RowScales* { return nullptr; }, ahead, b);
    }
  } else {
    RowScales scales;
    const auto scales_of_head = [&](int h) -> const RowScales* {
      if constexpr (!has_row_scales(F)) return nullptr;
      load_key_scales(tile_of(h), scales);
      return &scales;
    };
    attend_heads<F, F>(q.kv_heads, value_factor(F), tile_of, scales_of_head, ahead, b);
  }
}

// How far memory is asked for ahead: so many bytes cover its latency at full speed. Where rows are
// staged, those of a whole tile are read before any is used.
constexpr int kAheadBytes = 16384;

// Calls body(begin, rows, prefetcher) for each tile of an item's keys.
template <Format F, bool kStaged = is_staged(F), class Body>
ATTNRT_INLINE void for_tiles(const AttendParams& p, const WorkItem& item, Body body) {
  const int heads = item.rows.kv_heads;
  const int k_bytes = row_bytes(F, p.layer.dim_qk);
  const int v_bytes = row_bytes(F, p.layer.dim_v);
  Prefetcher ahead(p, heads, k_bytes, v_bytes,
                   kStaged ? kTile * heads * int64_t{k_bytes + v_bytes} : kAheadBytes);
  KeyRows tiles[2];
  find_rows(p, item.rows, item.kv_begin, item.kv_end, tiles[0]);
  int current = 0;
  for (int32_t begin = item.kv_begin; begin < item.kv_end; begin += kTile) {
    const KeyRows* next = nullptr;
    if (begin + kTile < item.kv_end) {
      find_rows(p, item.rows, begin + kTile, item.kv_end, tiles[1 - current]);
      next = &tiles[1 - current];
    }
    ahead.begin_tile(tiles[current], next);
    body(begin, tiles[current], ahead);
    current = 1 - current;
  }
}

template <Format F>
inline void attend_tiles(const AttendParams& p, const WorkItem& item, Buffers& b) {
  for_tiles<F>(p, item, [&](int32_t begin, const KeyRows& keys, Prefetcher& ahead) {
    attend_tile<F>(p, item.rows, begin, keys, ahead, b);
  });
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
