// Formats that are not read in place, unless an instruction set has a way of its own: a head's rows
// of a tile become bf16 in a thread's scratch, exactly, and what follows is what bf16 caches go
// through.
//
// nvfp4: e2m1 codes have 2 significant bits and their block's e4m3 scale 4, so a product has 6.
// fp8_ds_mla_v4 and _v41: e4m3 codes and powers of two.
#pragma once

#include "kernels/cpu/e4m3_values.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

constexpr int kNvfp4Block = 16;

// One head's rows of a tile as bf16 or f32, divided by staged_factor; strides are bytes.
struct StagedTile {
  uint8_t* k;
  uint8_t* v;
  int64_t k_stride;
  int64_t v_stride;
  const uint8_t* k_rows[kTile];
  const uint8_t* v_rows[kTile];
};

// kW values from element i on; exact.
template <Format As>
ATTNRT_INLINE void put_staged(uint8_t* row, int i, Vf x) {
  if constexpr (As == Format::kBf16) {
    store_u16(row + 2 * i, shr<16>(bits(x)));
  } else {
    static_assert(As == Format::kF32);
    store(reinterpret_cast<float*>(row) + i, x);
  }
}

inline void stage_nvfp4_row(const uint8_t* row, const uint8_t* scales, int dim, uint8_t* to) {
  for (int i = 0; i < dim; i += kW) {
    const Vf scale = splat(kE4m3Values.at[scales[i / kNvfp4Block]]);
    put_staged<Format::kBf16>(to, i, mul(load_e2m1(row + i / 2), scale));
  }
}

// Where things stand in DeepSeek's rows (kernels/codec/fp8_ds_mla_*.h).
struct DsMlaRow {
  int codes;  // e4m3, the first values
  int run;    // of them share a scale
  int rope;   // byte of the 64 bf16 values behind them; 0: there are none
};
constexpr DsMlaRow ds_mla_row(Format f) {
  if (f == Format::kDsMlaV32) return {512, 128, 528};
  if (f == Format::kDsMlaV4) return {448, 64, 448};
  return {512, 32, 0};
}
constexpr int kDsMlaRope = 64;

// 2^(code - 127); 0xff is NaN.
ATTNRT_INLINE float power_of(uint8_t code) {
  const uint32_t wide = code == 255 ? 0x7FC00000U : code == 0 ? 0x400000U : uint32_t{code} << 23;
  float x;
  memcpy(&x, &wide, sizeof x);
  return x;
}

template <Format F>
inline void stage_ds_mla_row(const uint8_t* row, const uint8_t* scales, uint8_t* to) {
  constexpr DsMlaRow kRow = ds_mla_row(F);
  constexpr Format kAs = computed_as(F);
  for (int i = 0; i < kRow.codes; i += kRow.run) {
    const int run = i / kRow.run;
    float scale;
    if constexpr (F == Format::kDsMlaV32) {
      scale = load_scale(scales + 4 * run);
    } else {
      scale = power_of(scales[run]);
    }
    for (int j = i; j < i + kRow.run; j += kW) {
      // load_e4m3 has divided by 256.
      put_staged<kAs>(to, j, mul(load_e4m3(row + j), splat(scale)));
    }
  }
  for (int j = 0; kRow.rope != 0 && j < kDsMlaRope; j += kW) {
    const Vf x = floats(shl<16>(load_u16(row + kRow.rope + 2 * j)));
    put_staged<kAs>(to, kRow.codes + j, mul(x, splat(1.0F / staged_factor(F))));
  }
}

// nvfp4_swizzled: V's scales of four tokens side by side (kernels/codec/nvfp4_swizzled.h).
// `scales`: where those of a token would stand otherwise, the `place`-th of its four.
inline void gather_swizzled(const uint8_t* scales, int64_t token_stride, int place, int dim,
                            uint8_t* to) {
  const int part = dim / kNvfp4Block / 4;
  const uint8_t* first = scales - place * token_stride + place;
  for (int row = 0; row < 4; ++row) {
    for (int i = 0; i < part; ++i) to[row * part + i] = first[row * token_stride + 4 * i];
  }
}

// The keys from `begin` on of a head: of K, and of V where the cache has rows of its own for V.
template <Format F>
inline void stage_rows(const AttendParams& p, int32_t begin, const HeadKeys& k, const HeadKeys& v,
                       StagedTile& to) {
  for (int t = 0; t < k.n; ++t) {
    uint8_t* k_to = to.k + t * to.k_stride;
    if constexpr (is_ds_mla(F)) {
      stage_ds_mla_row<F>(row_of(k, t), scales_of(k, t), k_to);
    } else {
      static_assert(has_block_scales(F));
      stage_nvfp4_row(row_of(k, t), scales_of(k, t), p.layer.dim_qk, k_to);
      const uint8_t* scales = scales_of(v, t);
      uint8_t gathered[kMaxDim / kNvfp4Block];
      if constexpr (F == Format::kNvfp4Swizzled) {
        const int place = (begin + t) % 4;  // blocks hold multiples of four
        gather_swizzled(scales, p.v.scale_token_stride, place, p.layer.dim_v, gathered);
        scales = gathered;
      }
      stage_nvfp4_row(row_of(v, t), scales, p.layer.dim_v, to.v + t * to.v_stride);
    }
  }
}

// The rows of a staged tile, as those of pages are given: K's up to a multiple of 4 (pages.hpp).
inline void list_staged(int n, StagedTile& to) {
  for (int t = 0; t < kTile; ++t) {
    const int key = t < n ? t : n - 1;
    to.k_rows[t] = to.k + key * to.k_stride;
    to.v_rows[t] = to.v + key * to.v_stride;
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
