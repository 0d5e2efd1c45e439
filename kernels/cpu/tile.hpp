// Attention of many query rows: a tile of keys and values is widened once into a small packed
// buffer (it stays in the second-level cache) and multiplied with all rows.
//
// Panels: a matrix of `depth` rows and n columns stands as n / kChunk panels of [depth][kChunk], so
// that the kernel reads memory in order. Keys are transposed: depth is the head's dimension.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

template <Format F>
ATTNRT_INLINE void load_chunk(const uint8_t* row, int i, int dim, Vf& a, Vf& b) {
  const uint8_t* p = row + i * element_bytes(F);
  if (i + kChunk <= dim) {
    load_pair<F>(p, a, b);
  } else {
    load_pair_tail<F>(p, dim - i, a, b);
  }
}

// Keys to panels [key / kChunk][dim][kChunk]. Keys behind n, up to a full vector, become zeros.
template <Format F>
inline void pack_keys(const HeadKeys& keys, int dim, float* panels) {
  alignas(64) float block[kW][kChunk];
  const int all = padded(dim);
  for (int t = 0; t < keys.n; t += kW) {
    float* to = panels + int64_t{t / kChunk} * all * kChunk + t % kChunk;
    for (int i = 0; i < dim; i += kChunk) {
      for (int j = 0; j < kW; ++j) {
        Vf a = zero();
        Vf b = zero();
        if (t + j < keys.n) load_chunk<F>(row_of(keys, t + j), i, dim, a, b);
        store(block[j], a);
        store(block[j] + kW, b);
      }
      transpose(block[0], kChunk, to + i * kChunk, kChunk);
      transpose(block[0] + kW, kChunk, to + (i + kW) * kChunk, kChunk);
    }
  }
}

// Values to panels [dim / kChunk][key][kChunk].
template <Format F>
inline void pack_values(const HeadKeys& keys, int dim, float* panels) {
  for (int t = 0; t < keys.n; ++t) {
    for (int i = 0; i < dim; i += kChunk) {
      Vf a;
      Vf b;
      load_chunk<F>(row_of(keys, t), i, dim, a, b);
      float* to = panels + int64_t{i} * kTile + t * kChunk;
      store(to, a);
      store(to + kW, b);
    }
  }
}

// c[r] = (alpha ? alpha[r] * c[r] : 0) + a[r][0 … depth) x panel, for kGemmRows rows.
template <bool kAccumulate>
inline void multiply_block(const float* a, int64_t a_stride, const float* panel, int depth,
                           const float* alpha, float* c, int64_t c_stride) {
  Vf low[kGemmRows];
  Vf high[kGemmRows];
  for (int r = 0; r < kGemmRows; ++r) {
    if constexpr (kAccumulate) {
      low[r] = mul(load(c + r * c_stride), splat(alpha[r]));
      high[r] = mul(load(c + r * c_stride + kW), splat(alpha[r]));
    } else {
      low[r] = zero();
      high[r] = zero();
    }
  }
  for (int d = 0; d < depth; ++d) {
    const Vf x = load(panel + d * kChunk);
    const Vf y = load(panel + d * kChunk + kW);
    for (int r = 0; r < kGemmRows; ++r) {
      const Vf factor = splat(a[r * a_stride + d]);
      low[r] = fma(factor, x, low[r]);
      high[r] = fma(factor, y, high[r]);
    }
  }
  for (int r = 0; r < kGemmRows; ++r) {
    store(c + r * c_stride, low[r]);
    store(c + r * c_stride + kW, high[r]);
  }
}

// rows is a multiple of kGemmRows; panels stand `panel_stride` floats apart.
template <bool kAccumulate>
inline void multiply(const float* a, int64_t a_stride, const float* panels, int64_t panel_stride,
                     int depth, int columns, int rows, const float* alpha, float* c,
                     int64_t c_stride) {
  for (int n = 0; n < columns; n += kChunk) {
    for (int r = 0; r < rows; r += kGemmRows) {
      multiply_block<kAccumulate>(a + r * a_stride, a_stride, panels, depth, alpha + r,
                                  c + r * c_stride + n, c_stride);
    }
    panels += panel_stride;
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
