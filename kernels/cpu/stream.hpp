// Attention of few query rows: keys and values are used straight from their pages.
//
// Every stored vector is widened in registers and used by kStreamRows query rows at once; all rows
// of a GQA group go over a tile while it is in the first-level cache.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// The rows of K or V of a tile's keys as one KV head has them.
struct HeadKeys {
  const uint8_t* const* rows;
  int64_t offset;  // of the head, in bytes
  int n;
  const uint8_t* const* scales = nullptr;
  int64_t scale_offset = 0;
};

ATTNRT_INLINE const uint8_t* row_of(const HeadKeys& keys, int t) {
  return keys.rows[t] + keys.offset;
}
ATTNRT_INLINE const uint8_t* scales_of(const HeadKeys& keys, int t) {
  return keys.scales[t] + keys.scale_offset;
}

// The second of a pair of V's rows that begins with key t: behind the last it has no weight.
ATTNRT_INLINE int second_key(const HeadKeys& v, int t) {
  return t + 1 < v.n ? t + 1 : t;
}

// to[r * kTile + j] = the sum of sums[r][j].
template <int R, int J>
ATTNRT_INLINE void store_scores(const Vf (&sums)[R][J], float* to) {
  if constexpr (J == 4) {
    for (int r = 0; r < R; ++r) {
      store_sums4(to + r * kTile, sums[r][0], sums[r][1], sums[r][2], sums[r][3]);
    }
  } else {
    static_assert(J == 2 && R % 2 == 0);
    for (int r = 0; r < R; r += 2) {
      float four[4];
      store_sums4(four, sums[r][0], sums[r][1], sums[r + 1][0], sums[r + 1][1]);
      memcpy(to + r * kTile, four, 2 * sizeof(float));
      memcpy(to + (r + 1) * kTile, four + 2, 2 * sizeof(float));
    }
  }
}

// Raw scores of R rows against J keys.
template <Format F, int R, int J>
ATTNRT_INLINE void score_keys(const float* q, int64_t q_stride, const uint8_t* const* k,
                              int64_t offset, int dim, float* s) {
  constexpr int kBytes = element_bytes(F);
  Vf sums[R][J];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < J; ++j) sums[r][j] = zero();
  }
  const auto add = [&](int i, int j, Vf a, Vf b) __attribute__((always_inline)) {
    for (int r = 0; r < R; ++r) {
      sums[r][j] = fma(a, load(q + r * q_stride + i), sums[r][j]);
      sums[r][j] = fma(b, load(q + r * q_stride + i + kW), sums[r][j]);
    }
  };
  Vf a;
  Vf b;
  int i = 0;
  for (; i + kChunk <= dim; i += kChunk) {
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) {
      load_pair<F>(k[j] + offset + i * kBytes, a, b);
      add(i, j, a, b);
    }
  }
  if (i < dim) {
    // Unrolled, like all that counts keys here: else sums stand in memory, to be indexed.
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) {
      load_pair_tail<F>(k[j] + offset + i * kBytes, dim - i, a, b);
      add(i, j, a, b);
    }
  }
  store_scores<R, J>(sums, s);
}

// Against 4 keys, as many at a time as there are registers for sums.
template <Format F, int R>
ATTNRT_INLINE void score4(const float* q, int64_t q_stride, const uint8_t* const* k, int64_t offset,
                          int dim, float* s) {
  constexpr int kKeys = R * 4 <= kStreamSums ? 4 : kStreamSums / R;
  for (int j = 0; j < 4; j += kKeys)
    score_keys<F, R, kKeys>(q, q_stride, k + j, offset, dim, s + j);
}

// The same where Dot multiplies bf16 pairs: q as Dot::load_query gives it, padded with zeros.
template <class Dot, Format F, int R>
ATTNRT_INLINE void score4_dot(const float* q, int64_t q_stride, const uint8_t* const* k,
                              int64_t offset, int dim, float* s) {
  constexpr int kStep = Dot::template kStep<F>;
  constexpr int kVectors = kStep / 32;
  using Vector = typename Dot::Vector;
  Vf sums[R][4];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < 4; ++j) sums[r][j] = zero();
  }
  const uint8_t* const from[4] = {k[0] + offset, k[1] + offset, k[2] + offset, k[3] + offset};
  const auto add = [&](int i, int left) __attribute__((always_inline)) {
    for (int j = 0; j < 4; ++j) {
      Vector y[kVectors];
      Dot::template load<F>(from[j] + i * element_bytes(F), left, y);
      for (int r = 0; r < R; ++r) {
        const auto* x = reinterpret_cast<const Vector*>(q + r * q_stride + i / 2);
        for (int v = 0; v < kVectors; ++v) sums[r][j] = Dot::add(sums[r][j], x[v], y[v]);
      }
    }
  };
  int i = 0;
  for (; i + kStep <= dim; i += kStep) add(i, kStep);
  if (i < dim) add(i, dim - i);
  store_scores<R, 4>(sums, s);
}

// out[r] += sum over keys of weight * value, for C chunks from `first` on.
template <Format F, int R, int C, bool kTail>
ATTNRT_INLINE void accumulate(const float* weights, const HeadKeys& keys, int first, int dim,
                              float* out, int64_t out_stride) {
  constexpr int kBytes = element_bytes(F);
  Vf sums[R][2 * C];
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < 2 * C; ++c) sums[r][c] = load(out + r * out_stride + first + c * kW);
  }
  for (int t = 0; t < keys.n; ++t) {
    const uint8_t* v = row_of(keys, t) + first * kBytes;
    Vf x[2 * C];
    for (int c = 0; c < C; ++c) {
      if constexpr (kTail) {
        load_pair_tail<F>(v + c * kChunk * kBytes, dim - first, x[2 * c], x[2 * c + 1]);
      } else {
        load_pair<F>(v + c * kChunk * kBytes, x[2 * c], x[2 * c + 1]);
      }
    }
    for (int r = 0; r < R; ++r) {
      const Vf w = splat(weights[r * kTile + t]);
      for (int c = 0; c < 2 * C; ++c) sums[r][c] = fma(w, x[c], sums[r][c]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < 2 * C; ++c) store(out + r * out_stride + first + c * kW, sums[r][c]);
  }
}

template <Format F, int R>
ATTNRT_INLINE void accumulate_rows(const float* weights, const HeadKeys& keys, int dim, float* out,
                                   int64_t out_stride) {
  constexpr int kFit = kStreamSums / (2 * R);
  constexpr int kChunks = kStreamChunks < kFit ? kStreamChunks : kFit;
  constexpr int kWide = kChunks * kChunk;
  int i = 0;
  for (; i + kWide <= dim; i += kWide) {
    accumulate<F, R, kChunks, false>(weights, keys, i, dim, out, out_stride);
  }
  for (; i + kChunk <= dim; i += kChunk) {
    accumulate<F, R, 1, false>(weights, keys, i, dim, out, out_stride);
  }
  if (i < dim) accumulate<F, R, 1, true>(weights, keys, i, dim, out, out_stride);
}

// Calls body<R>(row) for blocks of kStreamRows, 2 and 1 rows.
template <class Body>
ATTNRT_INLINE void by_row_blocks(int rows, Body body) {
  int r = 0;
  for (; r + kStreamRows <= rows; r += kStreamRows) body.template operator()<kStreamRows>(r);
  if constexpr (kStreamRows > 2) {
    for (; r + 2 <= rows; r += 2) body.template operator()<2>(r);
  }
  for (; r < rows; ++r) body.template operator()<1>(r);
}

// Whether a value of the tile is NaN or infinite: such a value times a weight of 0 is not 0.
template <Format F>
inline bool has_special_values(const HeadKeys& keys, int dim) {
  Vf all = zero();
  for (int t = 0; t < keys.n; ++t) {
    for (int i = 0; i < dim; i += kChunk) {
      Vf a;
      Vf b;
      const uint8_t* p = row_of(keys, t) + i * element_bytes(F);
      if (i + kChunk <= dim) {
        load_pair<F>(p, a, b);
      } else {
        load_pair_tail<F>(p, dim - i, a, b);
      }
      all = fma(a, zero(), fma(b, zero(), all));
    }
  }
  return count(unordered(all)) != 0;
}

// One row over the keys that it sees and no others: slow, for tiles with special values of which
// not every row sees all.
template <Format F>
inline void accumulate_seen(const float* weights, const HeadKeys& keys, uint64_t unseen, int dim,
                            float alpha, float* out) {
  for (int i = 0; i < dim; i += kChunk) {
    Vf a = mul(load(out + i), splat(alpha));
    Vf b = mul(load(out + i + kW), splat(alpha));
    for (int t = 0; t < keys.n; ++t) {
      if ((unseen >> t & 1) != 0) continue;
      const uint8_t* p = row_of(keys, t) + i * element_bytes(F);
      Vf x;
      Vf y;
      if (i + kChunk <= dim) {
        load_pair<F>(p, x, y);
      } else {
        load_pair_tail<F>(p, dim - i, x, y);
      }
      a = fma(splat(weights[t]), x, a);
      b = fma(splat(weights[t]), y, b);
    }
    store(out + i, a);
    store(out + i + kW, b);
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
