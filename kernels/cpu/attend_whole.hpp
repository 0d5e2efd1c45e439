// Few query rows over int4_per_token_head's codes in whole numbers (AVX2), straight from the pages:
// one instruction multiplies and adds 16 pairs of 16 bits, where one of f32 does 8.
//
// A rotated q becomes numbers of 16 bits with a scale for its row (whole_query.hpp); so do the
// weights, times the scales of V's rows, of a few keys at a time. Products with codes of four bits
// are then exact in 32 bits, and zero points' part of them with them. A query, a scale or a weight
// that is not finite sends the item to the f32 path.
#pragma once

#include "kernels/cpu/whole_query.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Keys whose weights have one scale.
constexpr int kWholeKeys = kValueKeys;
static_assert(kWholeKeys == kW);
// Codes that are unpacked together: first those of even elements, then those of odd ones.
constexpr int kWholeChunk = 32;

struct WholeRows {
  // [row][dim_qk], where floats would stand; each chunk's even elements before its odd ones.
  int16_t* q;
  WholeQuery query[kMaxRows];
  Vf all;  // NaN once a weight was not finite
};

ATTNRT_INLINE __m128i low_half(Vi x) {
  return _mm256_castsi256_si128(x);
}
ATTNRT_INLINE __m128i high_half(Vi x) {
  return _mm256_extracti128_si256(x, 1);
}

// n finite values, a multiple of kWholeChunk.
inline WholeQuery quantize_query(const float* line, int n, int16_t* to) {
  const Vf magnitude = floats(splat_i(INT32_MAX));
  Vf top = zero();
  for (int i = 0; i < n; i += kW) top = max(_mm256_and_ps(load(line + i), magnitude), top);
  const float scale = largest(top) / kLargestWhole;
  const Vf divisor = splat(scale >= FLT_MIN ? scale : 1.0F);
  const Vi even_first = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
  Vi sum = splat_i(0);
  for (int i = 0; i < n; i += kWholeChunk) {
    Vi x[4];
    for (int v = 0; v < 4; ++v) {
      x[v] = nearest(div(load(line + i + v * kW), divisor));
      sum = add_i(sum, x[v]);
      x[v] = _mm256_permutevar8x32_epi32(x[v], even_first);
    }
    auto* at = reinterpret_cast<__m128i*>(to + i);
    _mm_store_si128(at, _mm_packs_epi32(low_half(x[0]), low_half(x[1])));
    _mm_store_si128(at + 1, _mm_packs_epi32(low_half(x[2]), low_half(x[3])));
    _mm_store_si128(at + 2, _mm_packs_epi32(high_half(x[0]), high_half(x[1])));
    _mm_store_si128(at + 3, _mm_packs_epi32(high_half(x[2]), high_half(x[3])));
  }
  alignas(32) int32_t lanes[kW];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), sum);
  int32_t total = 0;
  for (const int32_t lane : lanes) total += lane;
  return {scale, total};
}

// Returns false where a value is not finite (attend_int4.hpp).
inline bool load_whole_queries(const AttendParams& p, const QueryRows& q, int rows,
                               WholeRows& whole, Buffers& b) {
  const int dim = p.layer.dim_qk;
  whole.q = reinterpret_cast<int16_t*>(b.q);
  Vf all = zero();
  for (int r = 0; r < rows; ++r) {
    widen_row(p.q.dtype, query_row(p, q, r), dim, b.line);
    for (int i = 0; i < dim; i += kW) all = fma(load(b.line + i), zero(), all);
    rotate_query(b.line, dim);
    whole.query[r] = quantize_query(b.line, dim, whole.q + int64_t{r} * dim);
  }
  return count(unordered(all)) == 0;
}

// 16 bytes of codes as 16 whole numbers each.
ATTNRT_INLINE void unpack_codes(__m128i bytes, Vi& even, Vi& odd) {
  const Vi wide = _mm256_cvtepu8_epi16(bytes);
  even = and_i(wide, _mm256_set1_epi16(0xF));
  odd = _mm256_srli_epi16(wide, 4);
}

// Sums of lanes: of (a, b, c, d), in this order.
ATTNRT_INLINE __m128i whole_sums4(Vi a, Vi b, Vi c, Vi d) {
  const Vi all = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return _mm_add_epi32(low_half(all), high_half(all));
}

// Products of R rows with the codes of two keys: to[r / 2] is of (r, first), (r, second), (r + 1,
// first), (r + 1, second). At most 512 * kLargestWhole * 15, below 2^28.
template <int R>
ATTNRT_INLINE void multiply_two_keys(const int16_t* q, const uint8_t* first, const uint8_t* second,
                                     int dim, __m128i (&to)[(R + 1) / 2]) {
  Vi sums[R][2];
  for (int r = 0; r < R; ++r) sums[r][0] = sums[r][1] = splat_i(0);
  for (int i = 0; i < dim; i += kWholeChunk) {
    Vi even[2];
    Vi odd[2];
    unpack_codes(load_128(first + i / 2), even[0], odd[0]);
    unpack_codes(load_128(second + i / 2), even[1], odd[1]);
    for (int r = 0; r < R; ++r) {
      const auto* x = reinterpret_cast<const __m256i*>(q + r * dim + i);
      for (int j = 0; j < 2; ++j) {
        sums[r][j] = add_i(sums[r][j], _mm256_madd_epi16(even[j], _mm256_load_si256(x)));
        sums[r][j] = add_i(sums[r][j], _mm256_madd_epi16(odd[j], _mm256_load_si256(x + 1)));
      }
    }
  }
  for (int r = 0; r < R; r += 2) {
    const int next = r + 1 < R ? r + 1 : r;
    to[r / 2] = whole_sums4(sums[r][0], sums[r][1], sums[next][0], sums[next][1]);
  }
}

// Scales and zero points of four keys' rows.
struct FourScales {
  __m128 scales;
  __m128i zero_points;
};
inline FourScales load_four_scales(const HeadKeys& keys, int key) {
  alignas(16) float line[4];
  for (int j = 0; j < 4; ++j) line[j] = load_scale(scales_of(keys, key + j));
  const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(line));
  const __m128i zero_points = _mm_and_si128(all, _mm_set1_epi32(0xF));
  return {_mm_castsi128_ps(_mm_xor_si128(all, zero_points)), zero_points};
}

// Products of a row with four keys' codes, to q . k.
ATTNRT_INLINE void store_whole_scores(__m128i products, const WholeQuery& q, const FourScales& k,
                                      float* to) {
  const __m128i zeros = _mm_mullo_epi32(_mm_set1_epi32(q.sum), k.zero_points);
  const __m128 x = _mm_cvtepi32_ps(_mm_sub_epi32(products, zeros));
  _mm_store_ps(to, _mm_mul_ps(_mm_mul_ps(x, _mm_set1_ps(q.scale)), k.scales));
}

// q . k of a head's rows and four of its keys.
inline void score_four_whole(const HeadTile& t, int key, const WholeRows& whole, Buffers& b) {
  const int dim = t.p.layer.dim_qk;
  const FourScales scales = load_four_scales(t.k, key);
  by_row_blocks(
      t.rows, [&]<int R>(int r) __attribute__((always_inline)) {
        const int row = t.first + r;
        const int16_t* q = whole.q + int64_t{row} * dim;
        __m128i low[(R + 1) / 2];
        __m128i high[(R + 1) / 2];
        multiply_two_keys<R>(q, row_of(t.k, key), row_of(t.k, key + 1), dim, low);
        multiply_two_keys<R>(q, row_of(t.k, key + 2), row_of(t.k, key + 3), dim, high);
        for (int i = 0; i < R; ++i) {
          const __m128i products = i % 2 == 0 ? _mm_unpacklo_epi64(low[i / 2], high[i / 2])
                                              : _mm_unpackhi_epi64(low[i / 2], high[i / 2]);
          store_whole_scores(products, whole.query[row + i], scales,
                             b.scores + (row + i) * kTile + key);
        }
      });
}

// Weights of kWholeKeys keys of one row, times their scales, in whole numbers.
struct WholeWeights {
  alignas(16) int32_t pairs[kWholeKeys / 2];  // of 16 bits each
  float unit;
  int32_t zero_part;  // of their products with the zero points
};

// Scales and zero points of V's rows of n keys; 0 behind them.
struct ValueScales {
  Vf scales;
  __m128i zero_points;  // of 16 bits
};
inline ValueScales load_value_scales(const HeadKeys& keys, int n) {
  alignas(32) float line[kWholeKeys] = {};
  for (int j = 0; j < n; ++j) line[j] = load_scale(scales_of(keys, j));
  const Vi all = bits(load(line));
  const Vi zero_points = and_i(all, splat_i(0xF));
  return {floats(_mm256_xor_si256(all, zero_points)), narrow_u16(zero_points)};
}

// The largest product becomes kLargestWhole, unless it is next to nothing.
ATTNRT_INLINE WholeWeights whole_weights(const float* weights, const ValueScales& v, Vf& all) {
  const Vf x = mul(load(weights), v.scales);
  all = fma(x, zero(), all);
  const float top = largest(_mm256_and_ps(x, floats(splat_i(INT32_MAX))));
  constexpr float kLeastUnit = 0x1p-126F;  // whose inverse is a float
  WholeWeights to;
  to.unit = top / kLargestWhole > kLeastUnit ? top / kLargestWhole : kLeastUnit;
  const Vf inverse = splat(1.0F / to.unit);
  const Vi whole = nearest(mul(x, inverse));
  const __m128i words = _mm_packs_epi32(low_half(whole), high_half(whole));
  _mm_store_si128(reinterpret_cast<__m128i*>(to.pairs), words);
  __m128i part = _mm_madd_epi16(words, v.zero_points);
  part = _mm_hadd_epi32(part, part);
  to.zero_part = _mm_cvtsi128_si32(_mm_hadd_epi32(part, part));
  return to;
}

// out[r] += weights times codes less zero points, for keys [0, v.n): even elements before odd ones
// in each kChunk, as restore_row takes them.
template <int R>
ATTNRT_INLINE void add_whole(const WholeWeights* weights, const HeadKeys& v, int dim, float* out,
                             int64_t out_stride) {
  static_assert(kChunk == 16);
  const auto eight_bytes = [](const uint8_t* p) __attribute__((always_inline)) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  };
  for (int i = 0; i < dim; i += kChunk) {
    Vi sums[R][2];
    for (int r = 0; r < R; ++r) sums[r][0] = sums[r][1] = splat_i(-weights[r].zero_part);
    for (int t = 0; t < v.n; t += 2) {
      Vi even;
      Vi odd;
      unpack_codes(_mm_unpacklo_epi8(eight_bytes(row_of(v, t) + i / 2),
                                     eight_bytes(row_of(v, second_key(v, t)) + i / 2)),
                   even, odd);
      for (int r = 0; r < R; ++r) {
        const Vi w = splat_i(weights[r].pairs[t / 2]);
        sums[r][0] = add_i(sums[r][0], _mm256_madd_epi16(even, w));
        sums[r][1] = add_i(sums[r][1], _mm256_madd_epi16(odd, w));
      }
    }
    for (int r = 0; r < R; ++r) {
      float* to = out + r * out_stride + i;
      const Vf unit = splat(weights[r].unit);
      store(to, fma(to_float(sums[r][0]), unit, load(to)));
      store(to + kW, fma(to_float(sums[r][1]), unit, load(to + kW)));
    }
  }
}

// Keys [key, key + n) of a head.
inline void add_whole_keys(const HeadTile& t, int key, int n, WholeRows& whole, Buffers& b) {
  HeadKeys v = t.v;
  v.rows += key;
  v.scales += key;
  v.n = n;
  const ValueScales scales = load_value_scales(v, n);
  WholeWeights weights[kStreamLimit];
  for (int r = 0; r < t.rows; ++r) {
    weights[r] = whole_weights(b.scores + (t.first + r) * kTile + key, scales, whole.all);
  }
  by_row_blocks(
      t.rows, [&]<int R>(int r) __attribute__((always_inline)) {
        add_whole<R>(weights + r, v, t.p.layer.dim_v, b.out + (t.first + r) * b.out_stride,
                     b.out_stride);
      });
}

inline void attend_whole_tile(const AttendParams& p, const QueryRows& q, int32_t begin,
                              const KeyRows& keys, Prefetcher& ahead, WholeRows& whole,
                              Buffers& b) {
  const auto tile_of = [&](int h) { return head_tile(p, q, begin, h, keys); };
  const int k_bytes = row_bytes(Format::kInt4, p.layer.dim_qk);
  const int v_bytes = row_bytes(Format::kInt4, p.layer.dim_v);
  in_turns<kStreamKeys, 4>(
      q.kv_heads, keys.n, [&](int h, int key, int) __attribute__((always_inline)) {
        ahead.use(4 * k_bytes);
        score_four_whole(tile_of(h), key, whole, b);
      });
  for (int h = 0; h < q.kv_heads; ++h) {
    weigh(tile_of(h), nullptr, nullptr, 1.0F, b);
    rescale_rows(tile_of(h), b);
  }
  in_turns<kWholeKeys, kWholeKeys>(
      q.kv_heads, keys.n, [&](int h, int key, int n) __attribute__((always_inline)) {
        ahead.use(n * v_bytes);
        add_whole_keys(tile_of(h), key, n, whole, b);
      });
}

// Everything of an item of few rows up to its sums, in order, and row states. Returns false where
// the f32 path is wanted.
inline bool attend_whole_rows(const AttendParams& p, const WorkItem& item, Buffers& b) {
  const QueryRows& q = item.rows;
  const int rows = rows_of(p, q);
  WholeRows whole;
  whole.all = zero();
  if (!load_whole_queries(p, q, rows, whole, b)) return false;
  for_tiles<Format::kInt4, false>(p, item,
                                  [&](int32_t begin, const KeyRows& keys, Prefetcher& ahead) {
                                    attend_whole_tile(p, q, begin, keys, ahead, whole, b);
                                  });
  if (count(unordered(whole.all)) != 0) return false;
  restore_sums<computed_as(Format::kInt4)>(rows, p.layer.dim_v, b);
  return true;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
