// Attention on a matrix unit: q and weights as bf16, K and V as exact bf16, f32 sums.
//
// Scores come out transposed: 16 keys are the rows of the first operand, as they stand in memory,
// q is the second, packed once an item. For the sums V's keys are interleaved in pairs. Few query
// rows carry each weight as two bf16, so that nothing of its first 16 bits is lost.
#pragma once

#include "kernels/cpu/unpack_avx512.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

constexpr int kTileRows = 16;  // of the matrix unit
constexpr int kStep = 32;      // bf16 values of a tile's row
constexpr int kMostSplitRows = kTileRows / 2;

// An item as the matrix unit sees it. Rows are those of one KV head.
struct MatrixShape {
  int rows;
  int n;          // query rows of a tile of scores
  int row_tiles;  // such tiles
  bool split;     // weights in two parts
  int m;          // weight rows of a tile
  int out_rows;   // rows of sums, the second parts' behind the first
  int steps;      // kStep values each, of a key
  int panels;     // 16 columns each, of V

  [[nodiscard]] int64_t q_words() const { return int64_t{row_tiles} * steps * kTileRows * n; }
  [[nodiscard]] int64_t out_floats() const { return int64_t{out_rows} * panels * kTileRows; }
};

inline int divide_up(int n, int by) {
  return (n + by - 1) / by;
}

template <Format F>
inline MatrixShape matrix_shape(const LayerParams& layer, int rows) {
  MatrixShape s{};
  s.rows = rows;
  s.n = rows < kTileRows ? rows : kTileRows;
  s.row_tiles = divide_up(rows, kTileRows);
  s.split = rows <= kMostSplitRows;
  s.m = s.split ? 2 * rows : kTileRows;
  s.out_rows = s.split ? 2 * rows : s.row_tiles * kTileRows;
  s.steps = divide_up(layer.dim_qk, kUnpackChunk<F>) * (kUnpackChunk<F> / kStep);
  s.panels = divide_up(layer.dim_v, kUnpackChunk<F>) * (kUnpackChunk<F> / kTileRows);
  return s;
}

// A thread's buffers beside those of attend.hpp.
struct MatrixBuffers {
  uint32_t* q;        // [head][row tile][step][16][n] pairs of bf16
  uint16_t* keys;     // [kTile][step][32]
  uint16_t* values;   // [panel][kTile / 2][16][2]
  uint16_t* weights;  // [row tile][kTile / 32][16][32]
  float* products;    // [2][16][16]
  float* out;         // [head][out row][panel][16]
};

// With base null it only counts. Returns the floats used.
inline int64_t cut_matrix(const LayerParams& layer, float* base, MatrixBuffers& b) {
  constexpr int kLargestChunk = 64;
  const int64_t dim_qk = divide_up(layer.dim_qk, kLargestChunk) * int64_t{kLargestChunk};
  const int64_t dim_v = divide_up(layer.dim_v, kLargestChunk) * int64_t{kLargestChunk};
  int64_t used = 0;
  const auto take = [&](int64_t floats) {
    float* at = base == nullptr ? nullptr : base + used;
    used += floats;
    return at;
  };
  b.q = reinterpret_cast<uint32_t*>(take(kMaxRows * dim_qk / 2));
  b.keys = reinterpret_cast<uint16_t*>(take(kTile * dim_qk / 2));
  b.values = reinterpret_cast<uint16_t*>(take(kTile * dim_v / 2));
  b.weights = reinterpret_cast<uint16_t*>(take(int64_t{kMaxRows} * kTile / 2));
  b.products = take(2 * kTileRows * kTileRows);
  b.out = take(2 * kMaxRows * dim_v);
  return used;
}

// Query rows of one KV head, the places of a step as key_place says, pairs side by side.
template <Format F>
inline void pack_queries(const AttendParams& p, const QueryRows& q, int head, const MatrixShape& s,
                         uint32_t* to) {
  alignas(64) uint32_t line[kMaxDim / 2 + kStep];
  const auto bytes = static_cast<size_t>(2 * p.layer.dim_qk);
  memset(line, 0, sizeof line);
  for (int r = 0; r < s.rows; ++r) {
    const RowPlace place = place_of(p, q, head * s.rows + r);
    memcpy(line, p.q.data + place.token * p.q.token_stride + place.head * p.q.head_stride, bytes);
    uint32_t* tile = to + int64_t{r / kTileRows} * s.steps * kTileRows * s.n + r % kTileRows;
    for (int step = 0; step < s.steps; ++step) {
      for (int j = 0; j < kTileRows; ++j) {
        tile[(step * kTileRows + j) * s.n] = line[key_place<F>(step, 2 * j) / 2];
      }
    }
  }
}

// Where 16 keys stand as rows of a tile: in their page if the unit can read them there, else
// unpacked.
struct KeyTile {
  const uint8_t* first;
  int64_t stride;
};

template <Format F>
inline KeyTile key_tile(const HeadKeys& k, int t, int dim, const MatrixShape& s,
                        uint16_t* unpacked) {
  if constexpr (F == Format::kBf16) {
    const int64_t stride = k.rows[1] - k.rows[0];
    bool even = dim % kStep == 0 && t + kTileRows <= k.n;
    for (int j = 1; even && j < kTileRows; ++j) {
      even = k.rows[t + j] - k.rows[t + j - 1] == stride;
    }
    if (even) return {k.rows[t] + k.offset, stride};
  }
  const int width = s.steps * kStep;
  uint16_t* to = unpacked + t * width;
  for (int j = 0; j < kTileRows; ++j) {
    if (t + j < k.n) {
      unpack_key<F>(k.rows[t + j] + k.offset, dim, to + j * width);
    } else {
      memset(to + j * width, 0, static_cast<size_t>(width) * 2);
    }
  }
  return {reinterpret_cast<const uint8_t*>(to), int64_t{width} * 2};
}

// Products of 16 keys x up to 4 query rows stand densely, [key][n]: 4 stands for 3, too.
constexpr int kFewRows = 4;

ATTNRT_INLINE int product_stride(const MatrixShape& s) {
  return s.n <= kFewRows ? kFewRows : kTileRows;
}

// scores[r][key] from 16 keys x n products. Writes 4 or 16 rows; those behind n are noise.
ATTNRT_INLINE void transpose_products(const MatrixShape& s, const float* products, float* scores) {
  if (s.n > kFewRows) return transpose(products, kTileRows, scores, kTile);
  // Of 8 keys x 4 rows: rows 0 and 1, then rows 2 and 3, 8 keys each.
  const __m512i rows01 =
      _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
  const __m512i rows23 = _mm512_add_epi32(rows01, _mm512_set1_epi32(2));
  const Vf a = load(products);
  const Vf b = load(products + 16);
  const Vf c = load(products + 32);
  const Vf d = load(products + 48);
  const Vf first01 = _mm512_permutex2var_ps(a, rows01, b);
  const Vf last01 = _mm512_permutex2var_ps(c, rows01, d);
  const Vf first23 = _mm512_permutex2var_ps(a, rows23, b);
  const Vf last23 = _mm512_permutex2var_ps(c, rows23, d);
  store(scores, _mm512_shuffle_f32x4(first01, last01, 0x44));
  store(scores + kTile, _mm512_shuffle_f32x4(first01, last01, 0xEE));
  store(scores + 2 * kTile, _mm512_shuffle_f32x4(first23, last23, 0x44));
  store(scores + 3 * kTile, _mm512_shuffle_f32x4(first23, last23, 0xEE));
}

// 32 keys of V from `begin` on; those behind the tile's last become zeros.
template <Format F>
inline void unpack_values(const HeadTile& t, const MatrixShape& s, int begin, Prefetcher& ahead,
                          uint16_t* to) {
  constexpr int64_t kPanel = int64_t{kTile} * kTileRows;
  const int dim = t.p.layer.dim_v;
  const auto row = [&](int key) { return t.v.rows[key] + t.v.offset; };
  int key = begin;
  for (; key + 1 < t.v.n && key < begin + kStep; key += 2) {
    ahead.use(2 * row_bytes(F, dim));
    unpack_value_pair<F>(row(key), row(key + 1), dim, to + key * kTileRows, kPanel);
  }
  if (key < t.v.n && key < begin + kStep) {
    ahead.use(row_bytes(F, dim));
    unpack_value_pair<F>(row(key), nullptr, dim, to + key * kTileRows, kPanel);
    key += 2;
  }
  for (; key < begin + kStep; key += 2) {
    for (int n = 0; n < s.panels; ++n) {
      _mm512_store_si512(to + key * kTileRows + n * kPanel, _mm512_setzero_si512());
    }
  }
}

// Products of 16 or 32 keys with a tile of query rows.
ATTNRT_INLINE void multiply_keys(const MatrixShape& s, const KeyTile& first, const KeyTile* second,
                                 const uint32_t* q, float* products) {
  constexpr int64_t kLine = 64;
  const int64_t q_stride = int64_t{4} * s.n;
  const int64_t stride = int64_t{4} * product_stride(s);
  Matrix::zero<0>();
  if (second == nullptr) {
    for (int step = 0; step < s.steps; ++step) {
      Matrix::load<3>(q + int64_t{step} * kTileRows * s.n, q_stride);
      Matrix::load<2>(first.first + step * kLine, first.stride);
      Matrix::multiply<0, 2, 3>();
    }
    return Matrix::store<0>(products, stride);
  }
  Matrix::zero<1>();
  for (int step = 0; step < s.steps; ++step) {
    Matrix::load<3>(q + int64_t{step} * kTileRows * s.n, q_stride);
    Matrix::load<2>(first.first + step * kLine, first.stride);
    Matrix::multiply<0, 2, 3>();
    Matrix::load<2>(second->first + step * kLine, second->stride);
    Matrix::multiply<1, 2, 3>();
  }
  Matrix::store<0>(products, stride);
  Matrix::store<1>(products + kTileRows * kTileRows, stride);
}

// Raw scores of all rows of a head, 32 keys at a time. V of the same keys is unpacked while the
// matrix unit works.
template <Format F>
inline void multiply_queries(const HeadTile& t, const MatrixShape& s, const uint32_t* q,
                             Prefetcher& ahead, MatrixBuffers& m, Buffers& b) {
  const int dim = t.p.layer.dim_qk;
  for (int key = 0; key < t.k.n; key += kStep) {
    ahead.use(kStep * row_bytes(F, dim));
    const bool both = key + kTileRows < t.k.n;
    const KeyTile first = key_tile<F>(t.k, key, dim, s, m.keys);
    const KeyTile second = both ? key_tile<F>(t.k, key + kTileRows, dim, s, m.keys) : first;
    for (int tile = 0; tile < s.row_tiles; ++tile) {
      multiply_keys(s, first, both ? &second : nullptr,
                    q + int64_t{tile} * s.steps * kTileRows * s.n, m.products);
      if (tile == 0) unpack_values<F>(t, s, key, ahead, m.values);
      float* scores = b.scores + (t.first + tile * kTileRows) * kTile + key;
      transpose_products(s, m.products, scores);
      if (both) transpose_products(s, m.products + kTileRows * kTileRows, scores + kTileRows);
    }
  }
}

// The weights of a head's rows as first operands; keys behind the tile's last weigh nothing.
inline void pack_weights(const HeadTile& t, const MatrixShape& s, const Buffers& b, uint16_t* to) {
  const int vectors = divide_up(t.k.n, kTileRows);
  for (int r = 0; r < s.rows; ++r) {
    const float* from = b.scores + (t.first + r) * kTile;
    for (int step = 0; step < kTile / kStep; ++step) {
      const Vf low = 2 * step < vectors ? load(from + step * kStep) : zero();
      const Vf high = 2 * step + 1 < vectors ? load(from + step * kStep + kW) : zero();
      const int tile = (r / kTileRows * (kTile / kStep) + step) * kTileRows;
      uint16_t* row = to + (tile + r % kTileRows) * kStep;
      if (s.split) {
        __m512i rest;
        __m512i top;
        split_weights(low, high, top, rest);
        _mm512_store_si512(row, top);
        _mm512_store_si512(row + s.rows * kStep, rest);
      } else {
        _mm512_store_si512(row, round_weights(low, high));
      }
    }
  }
}

// What earlier tiles gave, brought to the new maxima.
inline void rescale_sums(const MatrixShape& s, const float* alpha, float* out) {
  const int width = s.panels * kTileRows;
  for (int r = 0; r < s.rows; ++r) {
    if (alpha[r] == 1.0F) continue;
    for (int part = 0; part < (s.split ? 2 : 1); ++part) {
      float* row = out + int64_t{r + part * s.rows} * width;
      for (int i = 0; i < width; i += kW) store(row + i, mul(load(row + i), splat(alpha[r])));
    }
  }
}

// out += weights x values.
inline void add_products(const MatrixShape& s, int keys, const MatrixBuffers& m, float* out) {
  constexpr int64_t kPanel = int64_t{kTile} * kTileRows;
  constexpr int64_t kLine = 64;
  constexpr int kTileWords = kTileRows * kStep;
  const int64_t stride = int64_t{s.panels} * kLine;
  const bool both = keys > kStep;
  for (int tile = 0; tile < s.row_tiles; ++tile) {
    const uint16_t* weights = m.weights + tile * (kTile / kStep) * kTileWords;
    float* rows = out + int64_t{tile} * kTileRows * s.panels * kTileRows;
    Matrix::load<4>(weights, kLine);
    if (both) Matrix::load<5>(weights + kTileWords, kLine);
    for (int n = 0; n < s.panels; n += 2) {
      const uint16_t* first = m.values + n * kPanel;
      const uint16_t* second = first + kPanel;
      Matrix::load<6>(rows + n * kTileRows, stride);
      Matrix::load<7>(rows + (n + 1) * kTileRows, stride);
      Matrix::load<2>(first, kLine);
      Matrix::multiply<6, 4, 2>();
      Matrix::load<2>(second, kLine);
      Matrix::multiply<7, 4, 2>();
      if (both) {
        Matrix::load<2>(first + kTileWords, kLine);
        Matrix::multiply<6, 5, 2>();
        Matrix::load<2>(second + kTileWords, kLine);
        Matrix::multiply<7, 5, 2>();
      }
      Matrix::store<6>(rows + n * kTileRows, stride);
      Matrix::store<7>(rows + (n + 1) * kTileRows, stride);
    }
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
