// Attention on a matrix unit: q and weights as bf16, K and V as exact bf16, f32 sums.
//
// Scores come out transposed: 16 keys are the rows of the first operand, as they stand in memory,
// q is the second, packed once an item (lanes.hpp makes them weights). For the sums weights are the
// first operand and V's keys, interleaved in pairs, the second. Few query rows carry each weight as
// two bf16, so that nothing of its first 16 bits is lost.
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
  int n;          // query rows of a tile of scores: a power of two
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
  s.n = 1;
  while (s.n < rows && s.n < kTileRows) s.n *= 2;
  s.row_tiles = divide_up(rows, kTileRows);
  s.split = s.n <= kMostSplitRows;
  s.m = s.split ? 2 * s.n : kTileRows;
  s.out_rows = s.row_tiles * s.m;
  s.steps = divide_up(layer.dim_qk, kUnpackChunk<F>) * (kUnpackChunk<F> / kStep);
  s.panels = divide_up(layer.dim_v, kUnpackChunk<F>) * (kUnpackChunk<F> / kTileRows);
  return s;
}

// A thread's buffers beside those of attend.hpp. A row tile's lanes: lanes.hpp.
struct MatrixBuffers {
  uint32_t* q;        // [head][row tile][step][16][n] pairs of bf16
  uint16_t* keys;     // [kTile][step][32]
  uint16_t* values;   // [panel][kTile / 2][16][2]
  float* scores;      // [kTile][n]
  uint16_t* weights;  // [kTile / 32][m][32]
  float* out;         // [head][row tile][m][panel][16]
  RowLanes* lanes;    // [row tile], the same for all heads
  LaneState* states;  // [head][row tile]
  FewBuffers few;
};

inline void cut_matrix(const LayerParams& layer, Scratch& scratch, MatrixBuffers& b) {
  constexpr int kLargestChunk = 64;
  const int64_t dim_qk = round_up(layer.dim_qk, kLargestChunk);
  const int64_t dim_v = round_up(layer.dim_v, kLargestChunk);
  // Rows of a head are padded to a power of two, at most to twice as many.
  constexpr int64_t kPaddedRows = 2 * kMaxRows;
  b.q = scratch.take<uint32_t>(kPaddedRows * dim_qk / 2);
  b.keys = scratch.take<uint16_t>(kTile * dim_qk);
  b.values = scratch.take<uint16_t>(kTile * dim_v);
  b.scores = scratch.take(int64_t{kTile} * kTileRows);
  b.weights = scratch.take<uint16_t>(int64_t{kTile} * kTileRows);
  b.out = scratch.take(2 * kPaddedRows * dim_v);
  b.lanes = scratch.take<RowLanes>(kMaxRows);
  b.states = scratch.take<LaneState>(kMaxRows);
  cut_few(layer, scratch, b.few);
}

// Query rows of one KV head, the places of a step as key_place says, pairs side by side.
template <Format F>
inline void pack_queries(const AttendParams& p, const QueryRows& q, int head, const MatrixShape& s,
                         uint32_t* to) {
  alignas(64) uint32_t line[kMaxDim / 2 + kStep];
  const auto bytes = static_cast<size_t>(2 * p.layer.dim_qk);
  memset(line, 0, sizeof line);
  for (int r = 0; r < s.rows; ++r) {
    memcpy(line, query_row(p, q, head * s.rows + r), bytes);
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
    if (even) return {row_of(k, t), stride};
  }
  const int width = s.steps * kStep;
  uint16_t* to = unpacked + t * width;
  for (int j = 0; j < kTileRows; ++j) {
    if (t + j < k.n) {
      unpack_key<F>(row_of(k, t + j), dim, to + j * width);
    } else {
      memset(to + j * width, 0, static_cast<size_t>(width) * 2);
    }
  }
  return {reinterpret_cast<const uint8_t*>(to), int64_t{width} * 2};
}

// 32 keys of V from `begin` on; those behind the tile's last become zeros.
template <Format F>
inline void unpack_values(const HeadTile& t, const MatrixShape& s, int begin, Prefetcher& ahead,
                          uint16_t* to) {
  constexpr int64_t kPanel = int64_t{kTile} * kTileRows;
  const int dim = t.p.layer.dim_v;
  int key = begin;
  for (; key + 1 < t.v.n && key < begin + kStep; key += 2) {
    ahead.use(2 * row_bytes(F, dim));
    unpack_value_pair<F>(row_of(t.v, key), row_of(t.v, key + 1), dim, to + key * kTileRows, kPanel);
  }
  if (key < t.v.n && key < begin + kStep) {
    ahead.use(row_bytes(F, dim));
    unpack_value_pair<F>(row_of(t.v, key), nullptr, dim, to + key * kTileRows, kPanel);
    key += 2;
  }
  for (; key < begin + kStep; key += 2) {
    for (int n = 0; n < s.panels; ++n) {
      _mm512_store_si512(to + key * kTileRows + n * kPanel, _mm512_setzero_si512());
    }
  }
}

// A head's keys of a tile, as rows of the first operand.
struct KeyTiles {
  KeyTile at[kTile / kTileRows];
  int count;
};

template <Format F>
inline KeyTiles key_tiles(const HeadTile& t, const MatrixShape& s, Prefetcher& ahead,
                          uint16_t* unpacked) {
  const int dim = t.p.layer.dim_qk;
  KeyTiles tiles;
  tiles.count = divide_up(t.k.n, kTileRows);
  for (int i = 0; i < tiles.count; ++i) {
    ahead.use(kTileRows * row_bytes(F, dim));
    tiles.at[i] = key_tile<F>(t.k, i * kTileRows, dim, s, unpacked);
  }
  return tiles;
}

template <Format F>
inline void unpack_all_values(const HeadTile& t, const MatrixShape& s, Prefetcher& ahead,
                              uint16_t* to) {
  for (int key = 0; key < t.v.n; key += kStep) unpack_values<F>(t, s, key, ahead, to);
}

// scores[key][row], raw, of up to 4 x 16 keys and 16 query rows: four sums at work at once.
ATTNRT_INLINE void multiply_four(const MatrixShape& s, const KeyTiles& k, int count,
                                 const uint32_t* q, float* scores) {
  constexpr int64_t kLine = 64;
  // The first again behind the last; nobody looks at what it gives.
  const KeyTile k0 = k.at[0];
  const KeyTile k1 = count > 1 ? k.at[1] : k0;
  const KeyTile k2 = count > 2 ? k.at[2] : k0;
  const KeyTile k3 = count > 3 ? k.at[3] : k0;
  Matrix::zero<0>();
  Matrix::zero<1>();
  Matrix::zero<2>();
  Matrix::zero<3>();
  for (int step = 0; step < s.steps; ++step) {
    Matrix::load<4>(q + int64_t{step} * kTileRows * kTileRows, kLine);
    Matrix::load<5>(k0.first + step * kLine, k0.stride);
    Matrix::multiply<0, 5, 4>();
    Matrix::load<6>(k1.first + step * kLine, k1.stride);
    Matrix::multiply<1, 6, 4>();
    Matrix::load<7>(k2.first + step * kLine, k2.stride);
    Matrix::multiply<2, 7, 4>();
    Matrix::load<5>(k3.first + step * kLine, k3.stride);
    Matrix::multiply<3, 5, 4>();
  }
  constexpr int kTileFloats = kTileRows * kTileRows;
  Matrix::store<0>(scores, kLine);
  Matrix::store<1>(scores + kTileFloats, kLine);
  Matrix::store<2>(scores + 2 * kTileFloats, kLine);
  Matrix::store<3>(scores + 3 * kTileFloats, kLine);
}

// The same for fewer than 16 rows, 32 keys at a time.
ATTNRT_INLINE void multiply_two(const MatrixShape& s, const KeyTile& first, const KeyTile& second,
                                const uint32_t* q, float* scores) {
  constexpr int64_t kLine = 64;
  const int64_t stride = int64_t{4} * s.n;
  Matrix::zero<0>();
  Matrix::zero<1>();
  for (int step = 0; step < s.steps; ++step) {
    Matrix::load<3>(q + int64_t{step} * kTileRows * s.n, stride);
    Matrix::load<2>(first.first + step * kLine, first.stride);
    Matrix::multiply<0, 2, 3>();
    Matrix::load<2>(second.first + step * kLine, second.stride);
    Matrix::multiply<1, 2, 3>();
  }
  Matrix::store<0>(scores, stride);
  Matrix::store<1>(scores + kTileRows * s.n, stride);
}

inline void multiply_keys(const MatrixShape& s, const KeyTiles& k, int count, const uint32_t* q,
                          float* scores) {
  if (s.n == kTileRows) return multiply_four(s, k, count, q, scores);
  for (int i = 0; i < count; i += 2) {
    const KeyTile& second = k.at[i + 1 < count ? i + 1 : i];
    multiply_two(s, k.at[i], second, q, scores + i * kTileRows * s.n);
  }
}

// What earlier tiles gave, brought to the new maxima.
inline void rescale_sums(const MatrixShape& s, const float* alpha, float* out) {
  const int width = s.panels * kTileRows;
  for (int r = 0; r < s.m; ++r) {
    const float factor = alpha[r % s.n];
    if (factor == 1.0F) continue;
    float* row = out + int64_t{r} * width;
    for (int i = 0; i < width; i += kW) store(row + i, mul(load(row + i), splat(factor)));
  }
}

// out += weights x values of 32 or 64 keys, four panels at a time.
template <bool kBoth>
ATTNRT_INLINE void add_four_panels(const MatrixShape& s, const uint16_t* values, int64_t stride,
                                   float* out) {
  constexpr int64_t kPanel = int64_t{kTile} * kTileRows;
  constexpr int64_t kLine = 64;
  constexpr int kHalf = kTileRows * kStep;
  for (int n = 0; n + 4 <= s.panels; n += 4) {
    const uint16_t* v = values + n * kPanel;
    float* sums = out + n * kTileRows;
    Matrix::load<0>(sums, stride);
    Matrix::load<6>(v, kLine);
    Matrix::multiply<0, 4, 6>();
    Matrix::load<1>(sums + kTileRows, stride);
    Matrix::load<7>(v + kPanel, kLine);
    Matrix::multiply<1, 4, 7>();
    Matrix::load<2>(sums + 2 * kTileRows, stride);
    Matrix::load<6>(v + 2 * kPanel, kLine);
    Matrix::multiply<2, 4, 6>();
    Matrix::load<3>(sums + 3 * kTileRows, stride);
    Matrix::load<7>(v + 3 * kPanel, kLine);
    Matrix::multiply<3, 4, 7>();
    if constexpr (kBoth) {
      Matrix::load<6>(v + kHalf, kLine);
      Matrix::multiply<0, 5, 6>();
      Matrix::load<7>(v + kPanel + kHalf, kLine);
      Matrix::multiply<1, 5, 7>();
      Matrix::load<6>(v + 2 * kPanel + kHalf, kLine);
      Matrix::multiply<2, 5, 6>();
      Matrix::load<7>(v + 3 * kPanel + kHalf, kLine);
      Matrix::multiply<3, 5, 7>();
    }
    Matrix::store<0>(sums, stride);
    Matrix::store<1>(sums + kTileRows, stride);
    Matrix::store<2>(sums + 2 * kTileRows, stride);
    Matrix::store<3>(sums + 3 * kTileRows, stride);
  }
}

// The same, two panels at a time from `n` on.
template <bool kBoth>
ATTNRT_INLINE void add_two_panels(const MatrixShape& s, int n, const uint16_t* values,
                                  int64_t stride, float* out) {
  constexpr int64_t kPanel = int64_t{kTile} * kTileRows;
  constexpr int64_t kLine = 64;
  constexpr int kHalf = kTileRows * kStep;
  for (; n < s.panels; n += 2) {
    const uint16_t* v = values + n * kPanel;
    float* sums = out + n * kTileRows;
    Matrix::load<6>(sums, stride);
    Matrix::load<7>(sums + kTileRows, stride);
    Matrix::load<2>(v, kLine);
    Matrix::multiply<6, 4, 2>();
    Matrix::load<2>(v + kPanel, kLine);
    Matrix::multiply<7, 4, 2>();
    if constexpr (kBoth) {
      Matrix::load<2>(v + kHalf, kLine);
      Matrix::multiply<6, 5, 2>();
      Matrix::load<2>(v + kPanel + kHalf, kLine);
      Matrix::multiply<7, 5, 2>();
    }
    Matrix::store<6>(sums, stride);
    Matrix::store<7>(sums + kTileRows, stride);
  }
}

template <bool kBoth>
inline void add_halves(const MatrixShape& s, const MatrixBuffers& m, float* out) {
  constexpr int64_t kLine = 64;
  const int64_t stride = int64_t{s.panels} * kLine;
  Matrix::load<4>(m.weights, kLine);
  if constexpr (kBoth) Matrix::load<5>(m.weights + s.m * kStep, kLine);
  if (s.n < kTileRows) return add_two_panels<kBoth>(s, 0, m.values, stride, out);
  add_four_panels<kBoth>(s, m.values, stride, out);
  add_two_panels<kBoth>(s, s.panels / 4 * 4, m.values, stride, out);
}

// A row tile's sums += weights x values of the first `keys` keys.
inline void add_products(const MatrixShape& s, int keys, const MatrixBuffers& m, float* out) {
  if (keys > kStep) return add_halves<true>(s, m, out);
  add_halves<false>(s, m, out);
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
