// append: rows of k and v, rounded to the cache's format, into their slots.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// One row on its way: n values (a multiple of 8), already floats.
struct Line {
  alignas(64) float x[kMaxDim + kChunk];
  alignas(64) uint8_t codes[kMaxDim + kChunk];
};

// absmax without NaN, infinities as the largest float; and the number of NaN.
inline float largest_magnitude(const float* x, int n, uint64_t* nans) {
  Vf top = zero();
  int lost = 0;
  for (int i = 0; i < n; i += kW) {
    const Vf value = load(x + i);
    lost += count(unordered(value));
    top = max(floats(and_i(bits(value), splat_i(INT32_MAX))), top);
  }
  *nans += static_cast<uint64_t>(lost);
  const float all = largest(top);
  return all > FLT_MAX ? FLT_MAX : all;
}

// A row and the scale that brings its largest magnitude to the largest code.
template <Format F>
inline uint64_t store_scaled_row(Line& line, int n, uint8_t* row, uint8_t* scale_at) {
  constexpr float kLargest = F == Format::kInt8 ? 127.0F : 448.0F;
  uint64_t nans = 0;
  const float absmax = largest_magnitude(line.x, n, &nans);
  const float wanted = absmax / kLargest;
  const float scale = wanted > 1e-6F ? wanted : 1e-6F;
  memcpy(scale_at, &scale, sizeof(scale));
  const Vf divisor = splat(scale);
  for (int i = 0; i < n; i += kW) {
    const Vf x = load(line.x + i);
    if constexpr (F == Format::kInt8) {
      store_u8(line.codes + i, encode_int8(x, divisor));
    } else {
      store_u8(line.codes + i, encode_e4m3(div(x, divisor)));
    }
  }
  memcpy(row, line.codes, static_cast<size_t>(n));
  return F == Format::kInt8 ? nans : 0;  // fp8 stores a NaN as what it is
}

// A block's scale code, its largest magnitude at 6, and its e2m1 codes. NaN becomes 0 and counts.
inline uint64_t store_nvfp4_block(const float* x, uint8_t* row, uint8_t* scale_at) {
  uint64_t lost = 0;
  alignas(64) uint8_t code[kW];
  store_u8(code, encode_e4m3(splat(largest_magnitude(x, kNvfp4Block, &lost) / 6.0F)));
  *scale_at = code[0];
  const float scale = kE4m3Values.at[code[0]];
  alignas(64) uint8_t codes[kNvfp4Block] = {};
  for (int i = 0; i < kNvfp4Block && scale != 0.0F; i += kW) {
    store_u8(codes + i, encode_e2m1(div(load(x + i), splat(scale))));
  }
  for (int i = 0; i < kNvfp4Block / 2; ++i) {
    row[i] = static_cast<uint8_t>(codes[2 * i] | codes[2 * i + 1] << 4);
  }
  return lost;
}

// `page`: the scales of the block's slot 0. Those of V of nvfp4_swizzled stand elsewhere.
inline uint64_t store_nvfp4_row(const float* x, int n, uint8_t* row, uint8_t* page,
                                int64_t token_stride, int slot, bool swizzled) {
  uint64_t lost = 0;
  const int part = n / kNvfp4Block / 4;
  for (int s = 0; s < n / kNvfp4Block; ++s) {
    uint8_t* at = page + slot * token_stride + s;
    if (swizzled) at = page + (slot - slot % 4 + s / part) * token_stride + s % part * 4 + slot % 4;
    lost += store_nvfp4_block(x + s * kNvfp4Block, row + s * kNvfp4Block / 2, at);
  }
  return lost;
}

// The scale of a run of e4m3 codes: f32, or the power of two at or above it (ue8m0).
template <Format F>
inline float store_run_scale(float absmax, int run, uint8_t* scales) {
  if constexpr (F == Format::kDsMlaV32) {
    const float wanted = absmax / 448.0F;
    const float scale = wanted > FLT_MIN ? wanted : FLT_MIN;
    memcpy(scales + 4 * run, &scale, sizeof scale);
    return scale;
  } else {
    const float wanted = (absmax > 1e-4F ? absmax : 1e-4F) / 448.0F;
    uint32_t pattern;
    memcpy(&pattern, &wanted, sizeof pattern);
    const uint32_t up = (pattern & 0x7FFFFFU) == 0 ? 0 : 1;
    scales[run] = static_cast<uint8_t>((pattern >> 23) + up);
    return power_of(scales[run]);
  }
}

template <Format F>
inline void store_ds_mla_row(const float* x, uint8_t* row, uint8_t* scales) {
  constexpr DsMlaRow kRow = ds_mla_row(F);
  for (int i = 0; i < kRow.codes; i += kRow.run) {
    uint64_t nans = 0;  // fp8 stores a NaN as what it is
    const float absmax = largest_magnitude(x + i, kRow.run, &nans);
    const Vf scale = splat(store_run_scale<F>(absmax, i / kRow.run, scales));
    for (int j = i; j < i + kRow.run; j += kW) {
      store_u8(row + j, encode_e4m3(div(load(x + j), scale)));
    }
  }
  for (int j = 0; kRow.rope != 0 && j < kDsMlaRope; j += kW) {
    store_codes<Format::kBf16>(row + kRow.rope + 2 * j, load(x + kRow.codes + j));
  }
  if constexpr (F == Format::kDsMlaV4)
    scales[kRow.codes / kRow.run] = 0;  // the scale row's last byte
}

template <Format F>
inline void store_plain_row(const float* x, int n, uint8_t* row) {
  constexpr int kBytes = element_bytes(F);
  int i = 0;
  for (; i + kW <= n; i += kW) store_codes<F>(row + i * kBytes, load(x + i));
  if (i == n) return;
  alignas(64) uint8_t rest[kW * 4];
  store_codes<F>(rest, load(x + i));
  memcpy(row + i * kBytes, rest, static_cast<size_t>((n - i) * kBytes));
}

ATTNRT_INLINE bool same_type(Format format, Dtype dtype) {
  return (format == Format::kF32 && dtype == Dtype::kF32) ||
         (format == Format::kF16 && dtype == Dtype::kF16) ||
         (format == Format::kBf16 && dtype == Dtype::kBf16);
}

template <Format F>
inline uint64_t store_row(Dtype dtype, const uint8_t* from, int n, float scale,
                          const SideView& side, [[maybe_unused]] bool is_v, int64_t block,
                          int64_t slot, int64_t head, Line& line) {
  uint8_t* row =
      side.data + block * side.block_stride + slot * side.token_stride + head * side.head_stride;
  if (same_type(F, dtype) && scale == 1.0F) {
    memcpy(row, from, static_cast<size_t>(n * element_bytes(F)));
    return 0;
  }
  const int end = (n + kW - 1) / kW * kW;
  widen_row(dtype, from, n, line.x);
  for (int i = n; i < end; ++i) line.x[i] = 0.0F;
  if (scale != 1.0F) {
    for (int i = 0; i < end; i += kW) store(line.x + i, div(load(line.x + i), splat(scale)));
    for (int i = n; i < end; ++i) line.x[i] = 0.0F;  // 0 / 0 would count as a lost NaN
  }
  if constexpr (is_ds_mla(F)) {
    store_ds_mla_row<F>(line.x, row,
                        side.scales + block * side.scale_block_stride +
                            slot * side.scale_token_stride + head * side.scale_head_stride);
    return 0;
  } else if constexpr (has_block_scales(F)) {
    uint8_t* page = side.scales + block * side.scale_block_stride + head * side.scale_head_stride;
    return store_nvfp4_row(line.x, n, row, page, side.scale_token_stride, static_cast<int>(slot),
                           F == Format::kNvfp4Swizzled && is_v);
  } else if constexpr (is_rotated(F)) {
    return store_int4_row(line.x, n, row,
                          side.scales + block * side.scale_block_stride +
                              slot * side.scale_token_stride + head * side.scale_head_stride);
  } else if constexpr (has_row_scales(F)) {
    return store_scaled_row<F>(line, n, row,
                               side.scales + block * side.scale_block_stride +
                                   slot * side.scale_token_stride + head * side.scale_head_stride);
  } else {
    store_plain_row<F>(line.x, n, row);
    return 0;
  }
}

template <Format F>
inline uint64_t append_rows(const AppendParams& p, int64_t begin, int64_t end) {
  Line line;
  uint64_t lost = 0;
  for (int64_t t = begin; t < end; ++t) {
    if (p.slots[t] < 0) continue;
    const int64_t block = p.slots[t] / p.block_size;
    const int64_t slot = p.slots[t] % p.block_size;
    for (int64_t h = 0; h < p.kv_heads; ++h) {
      const uint8_t* k = p.k.data + t * p.k.token_stride + h * p.k.head_stride;
      lost += store_row<F>(p.dtype, k, p.dim_qk, scale_of(p.k_scale, h), p.k_side, false, block,
                           slot, h, line);
      if (p.dim_v == 0) continue;
      const uint8_t* v = p.v.data + t * p.v.token_stride + h * p.v.head_stride;
      lost += store_row<F>(p.dtype, v, p.dim_v, scale_of(p.v_scale, h), p.v_side, true, block, slot,
                           h, line);
    }
  }
  return lost;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
