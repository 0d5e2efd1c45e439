// How far an f32 backend may be from the oracle: derived in docs/accuracy.md, not tuned.
//
// The oracle decodes the same stored bytes and reads the same q, so a format's own rounding is in
// neither side of the comparison. What remains are the roundings of f32 arithmetic, the error of
// exp, bf16 rounding of the weights where a backend multiplies in bf16, and the rounding of out.
// All inputs are the oracle's, in double; bounds are absolute. Stateless, thread-safe.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "attnrt/plugin.h"

namespace attnrt::testing {

// One element of out (or one row's lse) as the oracle sees it.
struct ErrorTerms {
  std::string_view format;  // of the cache, canonical
  int32_t q_dtype = ATTNRT_DTYPE_F32;
  int32_t out_dtype = ATTNRT_DTYPE_F32;
  int64_t kv_len = 0;
  int32_t head_dim_qk = 0;
  int32_t head_dim_v = 0;
  // Max over visible keys of |softmax_scale| * sum_i |q_i k_i|; of rotated rows the product of the
  // lengths of q and k stands for the sum.
  double abs_qk = 0;
  double q_spread = 0;  // sum |q_i| over the length of q; 0: at most sqrt(head_dim_qk)
  double abs_bias = 0;  // max over visible keys of |ALiBi bias|
  double softcap = 0;   // c; 0: none
  // sum_j p_j |v_j| / sum_j p_j of this element; max |v| will do. Of rotated rows |v_j| is a
  // length.
  double abs_pv = 0;
  double max_v = 0;  // the largest |v| of the row's keys, for weights of f16; 0: they're not used
  double out = 0;    // the oracle's value
  double lse = 0;
};

inline constexpr double kUnitF32 = 0x1p-24;
inline constexpr double kExpError = 0x1p-22;      // relative, of a backend's exp
inline constexpr double kTanhError = 0x1p-21;     // absolute, of a backend's tanh
inline constexpr double kExpReach = 104;          // exp(-104) is 0 in f32
inline constexpr double kMostWeightError = 0.25;  // relative; beyond, a bound would allow anything
inline constexpr int64_t kRescaleTokens = 16;     // an online softmax rescales at most so often

// gamma_n = n u / (1 - n u), the classical bound of n roundings.
inline double gamma_f32(double n) {
  return n * kUnitF32 / (1 - n * kUnitF32);
}

// Whether every stored value of the format, or its code, is exact in f16.
inline bool weights_may_be_f16(std::string_view format, int32_t q_dtype) {
  const bool exact = format == "f16" || format == "fp8_e4m3" || format == "fp8_e5m2" ||
                     format == "nvfp4_linear" || format == "nvfp4_swizzled" ||
                     format == "int4_per_token_head";
  return exact && q_dtype == ATTNRT_DTYPE_F16;
}

// A backend may feed rounded weights to products of 16 bits, of q's type, where every stored value
// of the format, or its code, is exact in it; or each as two bf16.
inline double weight_rounding(std::string_view format, int32_t q_dtype) {
  if (weights_may_be_f16(format, q_dtype)) return 0x1p-11;
  const bool scaled = format == "int8_per_token_head" || format == "fp8_per_token_head";
  if (scaled && q_dtype == ATTNRT_DTYPE_F16) return 0x1p-16;
  const bool exact = format == "bf16" || format.starts_with("fp8_e") ||
                     format.starts_with("nvfp4_") || format.starts_with("fp8_ds_mla_v") ||
                     scaled || format.starts_with("int4_per_token_head");
  return exact && q_dtype == ATTNRT_DTYPE_BF16 ? 0x1p-8 : 0.0;
}

// As f16 a weight, at most 2^15 there, is off by half of the smallest number, or raised to it. A
// rotated row of codes as large as they can be is so much longer than the shortest with one.
inline double smallest_weight(std::string_view format, int32_t q_dtype, int32_t head_dim_v) {
  if (!weights_may_be_f16(format, q_dtype)) return 0.0;
  const bool rotated = format.starts_with("int4_per_token_head");
  return rotated ? 0x1p-39 * std::sqrt(2.0 * head_dim_v) : 0x1p-39;
}

// Roundings of each value of a row of n that a backend turns itself: q for rotated keys, sums of
// rotated values.
inline double rotation_roundings(std::string_view format, int32_t n) {
  return format.starts_with("int4_per_token_head") ? std::log2(n) : 0.0;
}

// A backend may multiply codes of four bits with rotated queries in 16 bits, whole numbers or two
// bf16: the error of such a row in length, relative.
inline bool query_may_be_rounded(const ErrorTerms& t) {
  return t.format.starts_with("int4_per_token_head") &&
         (t.q_dtype == ATTNRT_DTYPE_BF16 || t.q_dtype == ATTNRT_DTYPE_F16);
}
inline double query_rounding(const ErrorTerms& t) {
  if (!query_may_be_rounded(t)) return 0.0;
  const double spread = t.q_spread > 0 ? t.q_spread : std::sqrt(t.head_dim_qk);
  return spread / (2 * 127 * 256);
}

// Half the spacing of out's type relative to the value, and below its normal range.
inline double out_rounding(int32_t dtype, double value) {
  switch (dtype) {
    case ATTNRT_DTYPE_F16:
      return std::max(0x1p-11 * std::abs(value), 0x1p-25);
    case ATTNRT_DTYPE_BF16:
      return std::max(0x1p-8 * std::abs(value), 0x1p-134);
    case ATTNRT_DTYPE_F64:
      return 0;
    default:
      return std::max(kUnitF32 * std::abs(value), 0x1p-149);
  }
}

// Absolute error of one score: the dot product, three scale factors, q's rotation and rounding,
// cap, bias, difference.
inline double score_error(const ErrorTerms& t) {
  const double turn = rotation_roundings(t.format, t.head_dim_qk);
  const double query = query_rounding(t);
  const double products = (query_may_be_rounded(t) ? 2.0 : 1.0) * t.head_dim_qk;
  const double dot = (gamma_f32(products + 6 + turn) + query) * t.abs_qk;
  const double cap = t.softcap > 0 ? t.softcap * kTanhError + 4 * kUnitF32 * t.abs_qk : 0;
  const double bias = 3 * kUnitF32 * (t.abs_bias + t.abs_qk);
  const double range = std::min(kExpReach, 2 * (t.abs_qk + t.abs_bias));
  return dot + cap + bias + kUnitF32 * range;
}

// Relative error of one weight p_j, all rescalings of the online softmax included.
inline double weight_error(const ErrorTerms& t) {
  const double rescales = std::ceil(static_cast<double>(t.kv_len) / kRescaleTokens) + 1;
  const double range = std::min(kExpReach, 2 * (t.abs_qk + t.abs_bias));
  return std::expm1(score_error(t) + kExpError + rescales * (kExpError + kUnitF32) +
                    kUnitF32 * range);
}

// HUGE_VAL: no bound, f32 promises nothing.
inline double out_bound(const ErrorTerms& t) {
  const double eta = weight_error(t);
  if (!(eta < kMostWeightError)) return HUGE_VAL;
  const double sums = 2 * gamma_f32(static_cast<double>(t.kv_len) + 8);
  const double relative = (2 * eta + sums + 2 * weight_rounding(t.format, t.q_dtype)) / (1 - eta);
  const double abs_pv = std::max(t.abs_pv, std::abs(t.out));  // never less than |out|
  // Sums before the division may leave f32's range though their quotient would not: no bound.
  if (static_cast<double>(t.kv_len) * abs_pv > 0x1p127) return HUGE_VAL;
  const double turn = gamma_f32(rotation_roundings(t.format, t.head_dim_v)) * (1 + relative);
  const double small =
      static_cast<double>(t.kv_len) * smallest_weight(t.format, t.q_dtype, t.head_dim_v) * t.max_v;
  const double before =
      (relative + turn) * abs_pv + small + 0x1p-120 * (1 + abs_pv);  // last: f32 underflow
  return before + out_rounding(t.out_dtype, std::abs(t.out) + before);
}

// lse is f32 always. HUGE_VAL: no bound.
inline double lse_bound(const ErrorTerms& t) {
  const double eta = weight_error(t);
  if (!(eta < kMostWeightError)) return HUGE_VAL;
  const double sum = gamma_f32(static_cast<double>(t.kv_len) + 8);
  return (eta + sum) / (1 - eta - sum) + 4 * kUnitF32 * (1 + std::abs(t.lse));
}

}  // namespace attnrt::testing
