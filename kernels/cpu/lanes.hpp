// The softmax of scores as a matrix unit gives them: [key][row], N query rows (a power of two) of a
// head side by side. A vector's lane l is row l % N of key l / N, so maxima and sums run along the
// keys, lane by lane.
//
// Scores, maxima and weights are powers of two in here: exp(x) = 2^(x log2 e).
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

constexpr float kLog2E = 1.44269504088896341F;
constexpr float kLn2 = 0.693147180559945309F;

// What the lanes of up to 16 query rows see, by lane.
struct RowLanes {
  alignas(64) int32_t low[kW];  // the first visible key …
  int32_t last[kW];             // … and the last, bits apart
  int32_t position[kW];         // of the query
  int32_t all_low;              // keys in [all_low, all_last] are seen by every row …
  int32_t all_last;
  int32_t first;  // … those outside [first, final] by none
  int32_t final;
  int32_t bits;  // 1: of a tree; then nothing is seen by every row
};

// By lane; m as a power of two, l of a lane's own keys.
struct LaneState {
  alignas(64) float m[kW];
  float l[kW];
  float alpha[kW];
};

// The query row of a head that lane l of a row tile has; behind the last it is the last again.
ATTNRT_INLINE int row_of_lane(int rows, int n, int tile, int lane) {
  const int row = tile * kW + lane % n;
  return row < rows ? row : rows - 1;
}

ATTNRT_INLINE RowMask mask_of_row(const AttendParams& p, const QueryRows& q, int row) {
  const TokenPlace at = token_of(p, q, q.q_begin + row / p.layer.group);
  return row_mask(p, at.sequence, at.query);
}

inline void fill_lanes(const AttendParams& p, const QueryRows& q, int rows, int n, int tile,
                       RowLanes& lanes) {
  lanes.all_low = lanes.final = INT32_MIN;
  lanes.all_last = lanes.first = INT32_MAX;
  lanes.bits = 0;
  for (int l = 0; l < kW; ++l) {
    const int row = row_of_lane(rows, n, tile, l);
    const TokenPlace at = token_of(p, q, q.q_begin + row / p.layer.group);
    const RowMask mask = row_mask(p, at.sequence, at.query);
    const int32_t low = mask.low;
    const int32_t last = (mask.high > mask.prefix ? mask.high : mask.prefix) - 1;
    lanes.low[l] = low;
    lanes.last[l] = last;
    lanes.position[l] = position_of(p, at.sequence, at.query);
    if (mask.bits != nullptr) lanes.bits = 1;
    lanes.all_low = low > lanes.all_low ? low : lanes.all_low;
    lanes.all_last = last < lanes.all_last ? last : lanes.all_last;
    lanes.first = low < lanes.first ? low : lanes.first;
    lanes.final = last > lanes.final ? last : lanes.final;
  }
}

inline void clear_state(LaneState& state) {
  store(state.m, splat(kMinusInfinity));
  store(state.l, zero());
}

// How many of the keys [begin, begin + n) come before the last that a row sees; 0: it sees none.
ATTNRT_INLINE int keys_in_sight(const RowLanes& lanes, int32_t begin, int n) {
  if (begin + n <= lanes.first || begin > lanes.final) return 0;
  const int32_t until = lanes.final - begin + 1;
  return until < n ? until : n;
}

// 2^x for x of at most about 0: relative error at most 2^-22. 0 below 2^-126; NaN stays NaN.
ATTNRT_INLINE Vf exp2_weight(Vf x) {
  const Vf r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);  // x - floor(x)
  Vf p = fma(splat(0.00186713005F), r, splat(0.00901703071F));
  p = fma(p, r, splat(0.0557999127F));
  p = fma(p, r, splat(0.240164444F));
  p = fma(p, r, splat(0.693151295F));
  p = fma(p, r, splat(1.0F));
  const Mask large = _mm512_cmp_ps_mask(x, splat(-126.0F), _CMP_NLT_UQ);
  return _mm512_maskz_scalef_ps(large, p, x);  // p * 2^floor(x)
}

// A row tile's keys of a head: `keys` from t.begin on.
struct LaneTile {
  const HeadTile& t;
  const RowLanes& lanes;
  int tile;  // of the head's row tiles
  int keys;
  const RowScales* scales;  // null: the format has none
  float scale;              // of the scores
};

// Which lane's key, from the vector's first on.
template <int N>
ATTNRT_INLINE Vi key_of_lane() {
  constexpr int kShift = N == 1 ? 0 : N == 2 ? 1 : N == 4 ? 2 : N == 8 ? 3 : 4;
  return shr<kShift>(iota());
}

// Row scales of the keys of vector v.
template <int N>
ATTNRT_INLINE Vf scales_of_keys(const float* scales, int v) {
  if constexpr (N == kW) return splat(scales[v]);
  const int first = v * (kW / N);
  const Vi lane = add_i(key_of_lane<N>(), splat_i(first % kW));
  return _mm512_permutexvar_ps(lane, load(scales + first / kW * kW));
}

// Whether scores need a scale and nothing else.
ATTNRT_INLINE bool is_plain(const LaneTile& x, int per_vector) {
  const AttendParams& p = x.t.p;
  const bool all_seen = x.lanes.bits == 0 && x.t.begin >= x.lanes.all_low &&
                        x.t.begin + x.keys - 1 <= x.lanes.all_last;
  return all_seen && x.scales == nullptr && p.layer.softcap == 0.0F && p.alibi_slopes == nullptr &&
         x.keys % per_vector == 0;
}

// Keys that a tree hides.
template <int N>
inline void hide_by_bits(const LaneTile& x, float* scores) {
  for (int r = 0; r < N; ++r) {
    const int row = row_of_lane(x.t.rows, N, x.tile, r);
    const RowMask mask = mask_of_row(x.t.p, x.t.q, row);
    for (int key = 0; key < x.keys; ++key) {
      if (!visible(mask, x.t.begin + key)) scores[key * N + r] = kMinusInfinity;
    }
  }
}

// Scales, caps, biases and hides scores in place.
template <int N>
inline void finish_lanes(const LaneTile& x, int vectors, float* scores) {
  const AttendParams& p = x.t.p;
  const int first_head = (x.t.q.kv_head + x.t.head) * p.layer.group;
  alignas(64) float slope[kW] = {};
  for (int l = 0; p.alibi_slopes != nullptr && l < kW; ++l) {
    const int row = row_of_lane(x.t.rows, N, x.tile, l);
    slope[l] = p.alibi_slopes[first_head + row % p.layer.group];
  }
  const Vf cap = splat(p.layer.softcap);
  const Vi low = _mm512_load_si512(x.lanes.low);
  const Vi last =
      _mm512_min_epi32(_mm512_load_si512(x.lanes.last), splat_i(x.t.begin + x.keys - 1));
  const Vi position = _mm512_load_si512(x.lanes.position);
  for (int v = 0; v < vectors; ++v) {
    const Vi key = add_i(key_of_lane<N>(), splat_i(x.t.begin + v * (kW / N)));
    Vf s = mul(load(scores + v * kW), splat(x.scale));
    if (x.scales != nullptr) s = mul(s, scales_of_keys<N>(x.scales->k, v));
    if (p.layer.softcap > 0.0F) s = mul(cap, tanh(div(s, cap)));
    if (p.alibi_slopes != nullptr) s = fma(load(slope), to_float(sub_i(key, position)), s);
    s = mul(s, splat(kLog2E));
    const Mask hidden = greater_i(low, key) | greater_i(key, last);
    store(scores + v * kW, select(hidden, splat(kMinusInfinity), s));
  }
  if (x.lanes.bits != 0) hide_by_bits<N>(x, scores);
}

// The largest of each row, in all of its lanes.
template <int N>
ATTNRT_INLINE Vf over_keys_max(Vf x) {
  if constexpr (N <= 8) x = max(x, swapped<8>(x));
  if constexpr (N <= 4) x = max(x, swapped<4>(x));
  if constexpr (N <= 2) x = max(x, swapped<2>(x));
  if constexpr (N <= 1) x = max(x, swapped<1>(x));
  return x;
}

alignas(64) constexpr uint16_t kEvenPlaces[32] = {0,  2,  4,  6,  8,  10, 12, 14, 16, 18, 20,
                                                  22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42,
                                                  44, 46, 48, 50, 52, 54, 56, 58, 60, 62};

// Of [key][N] bf16, 32 keys, row r to to + r * 32.
template <int N>
ATTNRT_INLINE void store_by_rows(__m512i (&x)[N], uint16_t* to) {
  // Even places first, odd ones behind: the lowest bit of the row comes to the top.
  const __m512i even = _mm512_load_si512(kEvenPlaces);
  const __m512i odd = _mm512_add_epi16(even, _mm512_set1_epi16(1));
  for (int level = 1; level < N; level *= 2) {
    __m512i y[N];
    for (int i = 0; i < N / 2; ++i) {
      y[i] = _mm512_permutex2var_epi16(x[2 * i], even, x[2 * i + 1]);
      y[N / 2 + i] = _mm512_permutex2var_epi16(x[2 * i], odd, x[2 * i + 1]);
    }
    for (int i = 0; i < N; ++i) x[i] = y[i];
  }
  for (int r = 0; r < N; ++r) _mm512_store_si512(to + r * 32, x[r]);
}

// Of 16 rows: pairs of keys are 32-bit lanes, transposed as such.
ATTNRT_INLINE void store_pairs_by_rows(__m512 (&x)[kW], uint16_t* to) {
  transpose16(x);
  for (int r = 0; r < kW; ++r) _mm512_store_si512(to + r * 32, bits(x[r]));
}

// Scores to weights, 32 keys by rows for the matrix unit: [32 keys][m][32]. Rows of up to 8 carry
// each weight as two bf16, the second ones N rows behind. weights_of(v): vector v's, 0 behind the
// last.
template <int N, class WeightsOf>
ATTNRT_INLINE void pack_lanes(int keys, WeightsOf weights_of, uint16_t* to) {
  for (int half = 0; half * 32 < keys; ++half) {
    if constexpr (N == kW) {
      // Words 2 i and 2 i + 1: row i of either key.
      const __m512i sides = _mm512_or_si512(iota(), shl<16>(add_i(iota(), splat_i(kW))));
      __m512 pairs[kW];
      for (int j = 0; j < kW; ++j) {
        const Vf a = weights_of(32 * half + 2 * j);
        const Vf b = weights_of(32 * half + 2 * j + 1);
        pairs[j] = floats(_mm512_permutexvar_epi16(sides, round_weights(a, b)));
      }
      store_pairs_by_rows(pairs, to + half * kW * 32);
    } else {
      __m512i high[N];
      __m512i rest[N];
      for (int i = 0; i < N; ++i) {
        const Vf a = weights_of(2 * (N * half + i));
        const Vf b = weights_of(2 * (N * half + i) + 1);
        split_weights(a, b, high[i], rest[i]);
      }
      store_by_rows<N>(high, to + half * 2 * N * 32);
      store_by_rows<N>(rest, to + half * 2 * N * 32 + N * 32);
    }
  }
}

// One step of the online softmax of a row tile. Scores are raw, [key][N].
template <int N>
inline void weigh_lanes(const LaneTile& x, float* scores, LaneState& state, uint16_t* weights) {
  const int vectors = (x.keys * N + kW - 1) / kW;
  const bool plain = is_plain(x, kW / N);
  if (!plain) finish_lanes<N>(x, vectors, scores);
  const Vf scale = splat(plain ? x.scale * kLog2E : 1.0F);
  Vf top = splat(kMinusInfinity);
  for (int v = 0; v < vectors; ++v) top = max(mul(load(scores + v * kW), scale), top);
  const Vf before = load(state.m);
  const Vf now = max(over_keys_max<N>(top), before);
  // Where nothing is visible yet any number will do: 2^(-inf - 0) is 0, and NaN stays NaN.
  const Vf base = select(less(now, splat(-FLT_MAX)), zero(), now);
  const Vf alpha = exp2_weight(sub(before, base));
  store(state.m, now);
  store(state.alpha, alpha);
  Vf sums = mul(load(state.l), alpha);
  pack_lanes<N>(
      x.keys,
      [&](int v) __attribute__((always_inline)) {
        if (v >= vectors) return zero();
        Vf p = exp2_weight(_mm512_fmsub_ps(load(scores + v * kW), scale, base));
        sums = add(sums, p);
        if (x.scales != nullptr) p = mul(p, scales_of_keys<N>(x.scales->v, v));
        return p;
      },
      weights);
  store(state.l, sums);
}

ATTNRT_INLINE void weigh_lanes_of(int n, const LaneTile& x, float* scores, LaneState& state,
                                  uint16_t* weights) {
  switch (n) {
    case 1:
      return weigh_lanes<1>(x, scores, state, weights);
    case 2:
      return weigh_lanes<2>(x, scores, state, weights);
    case 4:
      return weigh_lanes<4>(x, scores, state, weights);
    case 8:
      return weigh_lanes<8>(x, scores, state, weights);
    default:
      return weigh_lanes<16>(x, scores, state, weights);
  }
}

// Row r of a head's to where finish.hpp looks: m as a logarithm, l of all its lanes.
ATTNRT_INLINE void hand_over_state(const LaneState& state, int n, int lane, float& m, float& l) {
  m = state.m[lane] * kLn2;
  l = 0.0F;
  for (int i = lane; i < kW; i += n) l += state.l[i];
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
