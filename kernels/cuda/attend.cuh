// Attention of a batch over paged caches: decode, chunked prefill and both mixed.
//
// A persistent block takes the items that the plan gave it. An item is up to kRows query rows of
// one KV head (the heads of a group are rows beside each other, so a stored row is read once for
// all) over a range of keys; tiles of keys come through a ring in shared memory (ring.cuh), scores
// and sums by mma in f32, an online softmax in powers of 2 between them (Milakov and Gimelshein,
// 2018; Dao, FlashAttention-2, 2023). Where a context was divided among blocks, the last of them to
// arrive puts the parts together (finish.cuh).
#pragma once

#include <math.h>

#include "kernels/codec/hd.h"
#include "kernels/cuda/expand.cuh"
#include "kernels/cuda/finish.cuh"
#include "kernels/cuda/layout.hpp"
#include "kernels/cuda/params.hpp"
#include "kernels/cuda/ring.cuh"
#include "kernels/cuda/rotate.cuh"
#include "kernels/cuda/rows.cuh"

namespace attnrt::cuda {

constexpr float kMinusInfinity = -INFINITY;

template <class Half>
constexpr Dtype dtype_of() {
  return __is_same(Half, F16) ? Dtype::kF16 : Dtype::kBf16;
}

// What weights and V are multiplied as: q's type, or bf16 where a weight has two parts.
template <int kParts, class Half>
struct ValueHalfOf {
  using Type = Half;
};
template <class Half>
struct ValueHalfOf<2, Half> {
  using Type = Bf16;
};

// Products of weights with scales of rotated rows could leave the range of f16: there they are
// halves in a unit of their query row's. See docs/accuracy.md.
template <Format kFormat, class Half>
constexpr bool has_units() {
  return __is_same(Half, F16) && is_rotated(kFormat);
}

// Other weights of f16 are 2^15 times as large: the smallest keep more of their bits.
template <Format kFormat, class Half>
constexpr float weight_exponent() {
  return __is_same(Half, F16) && !has_units<kFormat, Half>() ? 15.0F : 0.0F;
}

// A weight that is seen stays above 0 as a half: an infinity of V times it is one, not a NaN.
template <class Half>
constexpr float least_weight() {
  return __is_same(Half, F16) ? 0x1p-24F : 0x1p-126F;
}

// The weight of a key that a row does not see, or sees with a score of -inf: it counts for nothing,
// whatever V holds. No other has its sign.
constexpr float kUnseen = -0.0F;
constexpr uint32_t kUnseenSigns = 0x80008000U;  // in a pair of halves

// A power of 2 that scales up to `largest` are at most 2^15 times as large as, and 1 over it.
constexpr float kLeastUnit = 0x1p-126F;
ATTNRT_DEVICE float unit_of(float largest) {
  const float power = codec::float_of(codec::bits_of(largest) & 0x7F800000U);
  return fminf(fmaxf(power * 0x1p-14F, kLeastUnit), 0x1p112F);
}
ATTNRT_DEVICE float inverse_of_unit(float unit) {
  return codec::float_of(0x7F000000U - codec::bits_of(unit));
}

// 1 - 2 / (e^2x + 1): absolute error below 2^-21.
ATTNRT_DEVICE float tanh_fast(float x) {
  return 1.0F - 2.0F / (exp2_fast(2.0F * kLog2E * x) + 1.0F);
}

// Where element e of a row of q stands, among kPerUnit * 32, so that a fragment of q meets the
// elements that expand() puts side by side: those of the same place in their units.
template <Format kFormat>
ATTNRT_DEVICE int q_position(int e) {
  if constexpr (has_stretches(kFormat)) return e < kStretched ? q_position<Format::kE4m3>(e) : e;
  constexpr int kUnit = per_unit(kFormat);
  if constexpr (kUnit == 1) return e;
  constexpr int kGroup = 2 * kUnit;   // of a thread: two units
  const int thread = e / kGroup % 4;  // of four
  const int within = e % kGroup;      // unit * kUnit + place
  const int place = within % kUnit;   // a fragment of 8 elements each
  return e / (4 * kGroup) * (4 * kGroup) + place * 8 + thread * 2 + within / kUnit;
}

// Two parts of bf16 have 16 bits of a number, and its range.
template <bool kRotated, class Half>
struct QueryHalfOf {
  using Type = Half;
};
template <class Half>
struct QueryHalfOf<true, Half> {
  using Type = Bf16;
};

template <class TileOf, class Half, bool kByRows>
class Attend {
 public:
  static constexpr Format kFormat = TileOf::kFormat;
  // What q is multiplied as: rotated, it has more bits than a half, and stands in two parts.
  static constexpr bool kRotated = is_rotated(kFormat);
  using QueryHalf = typename QueryHalfOf<kRotated, Half>::Type;
  static constexpr Format kElements = elements_of(kFormat);
  static constexpr int kUnit = per_unit(kElements);
  static constexpr int kWeightParts = weight_parts(kFormat, dtype_of<Half>());
  using ValueHalf = typename ValueHalfOf<kWeightParts, Half>::Type;
  static constexpr bool kHasUnits = has_units<kFormat, ValueHalf>();
  static constexpr int kKeys = TileOf::kKeys;
  // Eights of keys whose scores a warp computes, and chunks of 16 bytes of V's rows that it adds.
  static constexpr int kEights = kByRows ? kKeys / 8 : kKeys / 8 / kWarps;
  static constexpr int kWarpChunks = kByRows ? TileOf::kChunks : (TileOf::kChunks + 3) / kWarps;

  ATTNRT_DEVICE Attend(const AttendParams& p, const SharedLayout& layout, SharedAddress base)
      : p_(p),
        layout_(layout),
        base_(base),
        ring_(p, layout, base),
        lane_(thread_index() % 32),
        warp_(thread_index() / 32),
        chunks_(row_bytes(kFormat, p.dim_v) / 16) {}

  ATTNRT_DEVICE void run(const WorkItem& item) {
    if constexpr (Ring<TileOf>::kWholeRows) order_before_bulk();
    sync_block();  // nobody reads what the last item left in shared memory
    ring_.begin(item);
    begin(item);
    for (int key = item.kv_begin; key < item.kv_end; key += kKeys) {
      const SharedAddress k = ring_.next();
      score(k);
      if constexpr (kRotated) repair_scores(item.q, k);
      finish_scores(k, key);
      weigh(k);
      SharedAddress v = k;
      if (p_.latent == 0) {
        v = ring_.next();
      } else if (!kByRows) {
        sync_block();
      }
      add_values(v);
    }
    finish(item);
  }

 private:
  // This thread's rows of the block's: two of a fragment.
  ATTNRT_DEVICE int row_of(int i) const {
    return (kByRows ? warp_ * kWarpRows : 0) + lane_ / 4 + 8 * i;
  }
  // The key, within the tile, of score i of the eighth `e` of this warp's.
  ATTNRT_DEVICE int key_of(int e, int i) const {
    return (kByRows ? e : e * kWarps + warp_) * 8 + lane_ % 4 * 2 + i;
  }
  // The chunk of V's rows that this warp adds as its c-th; from chunks_ on there is none.
  ATTNRT_DEVICE int chunk_of(int c) const { return kByRows ? c : c * kWarps + warp_; }
  // The column of V of sum i (of 2) of unit-place j of a chunk.
  ATTNRT_DEVICE int column_of(int chunk, int j, int i) const {
    return chunk * 8 * kUnit + (lane_ % 4 * 2 + i) * kUnit + j;
  }

  ATTNRT_DEVICE void begin(const WorkItem& item) {
    if constexpr (kRotated) {
      load_rotated_queries(item.q);
    } else {
      load_queries(item.q);
    }
    ATTNRT_UNROLL
    for (int i = 0; i < 2; ++i) {
      reference_[i] = kMinusInfinity;
      total_[i] = 0.0F;
      unit_[i] = kHasUnits ? kLeastUnit : 1.0F;
      // Rows behind the last do what the last does; nobody looks at them.
      const int row = row_of(i) < item.q.rows ? row_of(i) : item.q.rows - 1;
      const RowPlace at = place_of(p_, item.q, row);
      mask_[i] = row_mask(p_, at.sequence, at.query);
      // A shared prefix ends before what a row sees, and within a tile.
      if (mask_[i].high > item.kv_end) mask_[i].high = item.kv_end;
      if (p_.alibi_slopes != nullptr) {
        slope_[i] = p_.alibi_slopes[at.head] * kLog2E;
        const int q_len = p_.batch->q_start[at.sequence + 1] - p_.batch->q_start[at.sequence];
        position_[i] = p_.batch->kv_len[at.sequence] - q_len + at.query;
      }
    }
    scale_ = p_.softmax_scale * scale_of(p_.k_scale, item.q.kv_head) *
             expanded_factor<kElements, Half>();
    ATTNRT_UNROLL
    for (int c = 0; c < kWarpChunks; ++c) {
      ATTNRT_UNROLL
      for (int j = 0; j < kUnit; ++j) {
        ATTNRT_UNROLL
        for (int i = 0; i < 4; ++i) sums_[c][j][i] = 0.0F;
      }
    }
  }

  // Rows of q in the order of q_position, zeros where there is none.
  ATTNRT_DEVICE void load_queries(const QueryRows& q) {
    const int width = (static_cast<int>(layout_.q_pitch) - 16) / 2;
    const int threads = kThreads / kWarpRows;  // a row
    for (int row = thread_index() / threads; row < TileOf::kRows; row += kThreads / threads) {
      const bool there = row < q.rows;
      const uint8_t* from = there ? query_row(p_, q, row) : nullptr;
      const SharedAddress to = base_ + static_cast<SharedAddress>(row) * layout_.q_pitch;
      for (int e = thread_index() % threads; e < width; e += threads) {
        const bool valid = there && e < p_.dim_qk;
        const uint16_t x = valid ? reinterpret_cast<const uint16_t*>(from)[e] : uint16_t{0};
        store_shared<uint16_t>(to + static_cast<SharedAddress>(q_position<kFormat>(e)) * 2, x);
      }
    }
  }

  // Rotated as K's rows are: a warp a row.
  ATTNRT_DEVICE void load_rotated_queries(const QueryRows& q) {
    constexpr int kColumns = TileOf::kChunks < 4 ? 4 : TileOf::kChunks;  // 32 each, padding too
    const int width = (static_cast<int>(layout_.q_pitch) - 16) / 2;
    const float share = 1.0F / static_cast<float>(p_.dim_qk);  // a power of 2
    for (int row = warp_; row < TileOf::kRows; row += kWarps) {
      float x[kColumns] = {};
      if (row < q.rows) {
        const auto* from = reinterpret_cast<const uint16_t*>(query_row(p_, q, row));
        ATTNRT_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          const int e = c * 32 + lane_;
          if (e < p_.dim_qk) x[c] = half_to_float<Half>(from[e]) * share;
        }
        rotate_row(x, p_.dim_qk);
      }
      const SharedAddress to = base_ + static_cast<SharedAddress>(row) * layout_.q_pitch;
      ATTNRT_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        const int e = c * 32 + lane_;
        if (e < width)
          store_parts(to + static_cast<SharedAddress>(q_position<kFormat>(e)) * 2, x[c]);
      }
    }
  }
  ATTNRT_DEVICE void store_parts(SharedAddress at, float x) {
    const auto first = static_cast<uint16_t>(pack_halves<QueryHalf>(x, 0.0F) & 0xFFFFU);
    const float rest = x - half_to_float<QueryHalf>(first);
    store_shared<uint16_t>(at, first);
    store_shared<uint16_t>(at + layout_.q_rest,
                           static_cast<uint16_t>(pack_halves<QueryHalf>(rest, 0.0F) & 0xFFFFU));
  }

  // scores_ = q K^T for this warp's rows and keys.
  ATTNRT_DEVICE void score(SharedAddress k) {
    ATTNRT_UNROLL
    for (int e = 0; e < kEights; ++e) {
      ATTNRT_UNROLL
      for (int i = 0; i < 4; ++i) scores_[e][i] = 0.0F;
    }
    const SharedAddress q_row =
        base_ +
        static_cast<SharedAddress>((kByRows ? warp_ * kWarpRows : 0) + lane_ % 16) *
            layout_.q_pitch +
        static_cast<SharedAddress>(lane_ / 16) * 16;
    if constexpr (has_stretches(kFormat)) return score_stretches(k, q_row);
    const int steps = (static_cast<int>(layout_.k_pitch) - 16) / 64;
    for (int step = 0; step < steps; ++step) {
      ATTNRT_UNROLL
      for (int part = 0; part < kScoreParts; ++part) score_part<kElements>(k, q_row, step, part);
    }
  }

  // Each stretch by itself, times its scale, and what has none. Softmax's comes first: a stretch's
  // may be as large as leaves its values in f32.
  ATTNRT_DEVICE void score_stretches(SharedAddress k, SharedAddress q_row) {
    constexpr int kSteps = kStretch / 64;
    constexpr int kUnscaledSteps = 2;  // 64 values of bf16
    float scaled[kEights][4] = {};
    for (int t = 0; t < kStretches; ++t) {
      for (int step = 0; step < kSteps; ++step) {
        score_part<kElements>(k, q_row, t * kSteps + step, 0);
      }
      ATTNRT_UNROLL
      for (int e = 0; e < kEights; ++e) {
        ATTNRT_UNROLL
        for (int i = 0; i < 4; ++i) {
          scaled[e][i] += scores_[e][i] * (scale_ * stretch_scale(k, key_of(e, i % 2), t));
          scores_[e][i] = 0.0F;
        }
      }
    }
    for (int step = 0; step < kUnscaledSteps; ++step) {
      score_part<Format::kBf16>(k + kUnscaledAt, q_row + kStretched * 2, step, 0);
    }
    ATTNRT_UNROLL
    for (int e = 0; e < kEights; ++e) {
      ATTNRT_UNROLL
      for (int i = 0; i < 4; ++i) scores_[e][i] = scores_[e][i] * scale_ + scaled[e][i];
    }
  }
  // Of a row of a tile in slot `k`.
  ATTNRT_DEVICE float stretch_scale(SharedAddress k, int key, int t) const {
    return load_shared<float>(k + static_cast<SharedAddress>(key) * layout_.k_pitch +
                              static_cast<SharedAddress>(kStretched + 4 * t));
  }

  // The products of 64 bytes of K's rows, or a part of them: of kMatrices 16 bytes wide.
  static constexpr int kScoreParts = kUnit == 4 ? 2 : 1;  // fragments of q that registers hold
  static constexpr int kMatrices = 4 / kScoreParts;
  template <Format kStored>
  ATTNRT_DEVICE void score_part(SharedAddress k, SharedAddress q_row, int step, int part) {
    constexpr int kStoredUnit = per_unit(kStored);
    constexpr int kFragments = kMatrices * kStoredUnit / 2;
    uint32_t q[kFragments][4];
    uint32_t rest[kRotated ? kFragments : 1][4];
    ATTNRT_UNROLL
    for (int i = 0; i < kFragments; ++i) {
      const int fragment = (step * kScoreParts + part) * kFragments + i;
      const SharedAddress at = q_row + static_cast<SharedAddress>(fragment * 32);
      load_matrices(q[i], at);
      if constexpr (kRotated) load_matrices(rest[i], at + layout_.q_rest);
    }
    ATTNRT_UNROLL
    for (int e = 0; e < kEights; ++e) {
      const int first = (kByRows ? e : e * kWarps + warp_) * 8;
      uint32_t stored[4];
      load_matrices(stored, k + static_cast<SharedAddress>(first + lane_ % 8) * layout_.k_pitch +
                                static_cast<SharedAddress>(step * 64 + lane_ / 8 * 16));
      uint32_t wide[kMatrices][kStoredUnit];
      ATTNRT_UNROLL
      for (int i = 0; i < kMatrices; ++i) {
        const int m = part * kMatrices + i;
        if constexpr (kRotated) {
          const uint32_t zero = load_shared<uint32_t>(row_scale_at(k, first + lane_ / 4));
          expand_codes<QueryHalf>(stored[m], based_zeros<QueryHalf>(zero, zero), wide[i]);
        } else {
          expand<kStored, Half>(stored[m], wide[i]);
        }
        if constexpr (has_block_scales(kFormat)) {
          // Both units are in one block: eight elements of the key that this thread holds.
          const SharedAddress scale =
              scales_at(k, first + lane_ / 4, (step * 4 + m) * 2 + lane_ % 4 / 2);
          scale_pairs<Half>(wide[i], load_block_scales<Half>(scale, scale));
        }
      }
      ATTNRT_UNROLL
      for (int i = 0; i < kFragments; ++i) {
        const uint32_t low = wide[2 * i / kStoredUnit][2 * i % kStoredUnit];
        const uint32_t high = wide[(2 * i + 1) / kStoredUnit][(2 * i + 1) % kStoredUnit];
        multiply_add<QueryHalf>(scores_[e], q[i], low, high);
        if constexpr (kRotated) multiply_add<QueryHalf>(scores_[e], rest[i], low, high);
      }
    }
  }

  // Scores of a query with an infinity, whose rotation is NaN all over: by keys that are turned
  // back, one element after the other. Slow.
  ATTNRT_DEVICE void repair_scores(const QueryRows& q, SharedAddress k) {
    bool wrong = false;
    ATTNRT_UNROLL
    for (int n = 0; n < kEights * 4; ++n) wrong |= scores_[n / 4][n % 4] != scores_[n / 4][n % 4];
    if (!any_lane(wrong)) return;
    for (int n = 0; n < kEights * 4; ++n) {
      const float score = score_of_specials(q, row_of(n % 4 / 2), k, key_of(n / 4, n % 2));
      ATTNRT_UNROLL
      for (int m = 0; m < kEights * 4; ++m) {
        float& s = scores_[m / 4][m % 4];
        if (m == n && s != s) s = score;
      }
    }
  }
  // The sum of what is an infinity or a NaN in it.
  ATTNRT_DEVICE float score_of_specials(const QueryRows& q, int row, SharedAddress k,
                                        int key) const {
    if (row >= q.rows) return 0.0F;
    const auto* x = reinterpret_cast<const uint16_t*>(query_row(p_, q, row));
    const SharedAddress codes = k + static_cast<SharedAddress>(key) * layout_.k_pitch;
    const int zero = static_cast<int>(load_shared<uint32_t>(row_scale_at(k, key)) & 0xFU);
    const auto code = [&](int t) {
      const int both = load_shared<uint8_t>(codes + static_cast<SharedAddress>(t / 2));
      return (both >> (4 * (t & 1)) & 0xF) - zero;
    };
    float sum = 0.0F;
    for (int i = 0; i < p_.dim_qk; ++i) {
      if (special_halves<Half>(x[i]) == 0) continue;
      sum += half_to_float<Half>(x[i]) * static_cast<float>(unrotated_element(i, p_.dim_qk, code));
    }
    return sum;
  }

  // The scale of the tile's i-th row of K; V's come behind them.
  ATTNRT_DEVICE SharedAddress row_scale_at(SharedAddress slot, int i) const {
    return slot + layout_.slot_scales + static_cast<SharedAddress>(i) * 4;
  }
  ATTNRT_DEVICE static float row_scale(SharedAddress at) {
    const auto bits = load_shared<uint32_t>(at);
    return codec::float_of(kRotated ? bits & ~0xFU : bits);
  }

  // Scales, cap, bias and mask, in powers of 2.
  ATTNRT_DEVICE void finish_scores(SharedAddress k, int begin) {
    ATTNRT_UNROLL
    for (int r = 0; r < 2; ++r) {
      const bool masked = !all_visible(mask_[r], begin, begin + kKeys);
      ATTNRT_UNROLL
      for (int e = 0; e < kEights; ++e) {
        ATTNRT_UNROLL
        for (int i = 0; i < 2; ++i) {
          const int key = key_of(e, i);
          float& s = scores_[e][2 * r + i];
          if constexpr (!has_stretches(kFormat)) s *= scale_;
          if constexpr (has_row_scales(kFormat)) s *= row_scale(row_scale_at(k, key));
          if (p_.softcap > 0.0F) s = p_.softcap * tanh_fast(s / p_.softcap);
          s *= kLog2E;
          if (p_.alibi_slopes != nullptr) {
            s += slope_[r] * static_cast<float>(begin + key - position_[r]);
          }
          if (masked && !visible(mask_[r], begin + key)) s = kMinusInfinity;
        }
      }
    }
  }

  // The scale of V's row of key (e, i).
  ATTNRT_DEVICE float value_scale(SharedAddress k, int e, int i) const {
    if constexpr (!has_row_scales(kFormat)) return 1.0F;
    return row_scale(row_scale_at(k, kKeys + key_of(e, i)));
  }

  // Of a tile's keys that a row sees.
  struct Maxima {
    float score[2];
    float scale[2];  // of V, where there are units
  };
  ATTNRT_DEVICE Maxima find_maxima(SharedAddress k) const {
    Maxima top;
    ATTNRT_UNROLL
    for (int r = 0; r < 2; ++r) {
      top.score[r] = kMinusInfinity;
      top.scale[r] = 0.0F;
      ATTNRT_UNROLL
      for (int e = 0; e < kEights; ++e) {
        ATTNRT_UNROLL
        for (int i = 0; i < 2; ++i) {
          const float score = scores_[e][2 * r + i];
          top.score[r] = fmaxf(top.score[r], score);
          if (kHasUnits && score != kMinusInfinity) {
            top.scale[r] = fmaxf(top.scale[r], value_scale(k, e, i));
          }
        }
      }
      for_four_lanes(top.score[r]);
      if (kHasUnits) for_four_lanes(top.scale[r]);
    }
    return top;
  }
  // The largest of the four lanes that have a row.
  ATTNRT_DEVICE static void for_four_lanes(float& x) {
    x = fmaxf(x, shuffle_xor(x, 1));
    x = fmaxf(x, shuffle_xor(x, 2));
  }

  // Scores to weights; sums and total brought to the new maximum.
  ATTNRT_DEVICE void weigh(SharedAddress k) {
    Maxima top = find_maxima(k);
    if constexpr (!kByRows) share_maxima(top);
    ATTNRT_UNROLL
    for (int r = 0; r < 2; ++r) {
      const float before = reference_[r];
      const float now = fmaxf(before, top.score[r] - weight_exponent<kFormat, ValueHalf>());
      // Where nothing is visible yet any number will do: 2^(-inf - 0) is 0, and NaN stays NaN.
      const float base = now == kMinusInfinity ? 0.0F : now;
      const float factor = now == before ? 1.0F : exp2_fast(before - base);
      reference_[r] = now;
      total_[r] *= factor;
      rescale_sums(r, factor * move_unit(r, top.scale[r]));
      const float per_unit_of_row = kHasUnits ? inverse_of_unit(unit_[r]) : 1.0F;
      ATTNRT_UNROLL
      for (int e = 0; e < kEights; ++e) {
        ATTNRT_UNROLL
        for (int i = 0; i < 2; ++i) {
          const float score = scores_[e][2 * r + i];
          float weight = exp2_fast(score - base);
          total_[r] += weight;
          if constexpr (has_infinities(kFormat)) {
            if (weight < least_weight<ValueHalf>())
              weight = least_weight<ValueHalf>();  // false for NaN
          }
          if constexpr (has_row_scales(kFormat)) weight *= value_scale(k, e, i) * per_unit_of_row;
          scores_[e][2 * r + i] = score == kMinusInfinity ? kUnseen : weight;
        }
      }
    }
    if constexpr (has_stretches(kFormat)) {
      store_stretch_weights(k);
    } else if constexpr (!kByRows) {
      store_weights();
    }
  }

  ATTNRT_DEVICE void rescale_sums(int r, float factor) {
    ATTNRT_UNROLL
    for (int c = 0; c < kWarpChunks; ++c) {
      ATTNRT_UNROLL
      for (int j = 0; j < kUnit; ++j) {
        sums_[c][j][2 * r] *= factor;
        sums_[c][j][2 * r + 1] *= factor;
      }
    }
  }
  // A row sees a scale of V that may be its largest. Returns the factor of its sums.
  ATTNRT_DEVICE float move_unit(int r, float scale) {
    if constexpr (!kHasUnits) return 1.0F;
    const float before = unit_[r];
    unit_[r] = fmaxf(before, unit_of(scale));
    return before * inverse_of_unit(unit_[r]);
  }

  // The maxima of the rows over all warps' keys.
  ATTNRT_DEVICE void share_maxima(Maxima& top) {
    share(layout_.maxima, top.score);
    if (kHasUnits) share(layout_.totals, top.scale);
    sync_block();
    ATTNRT_UNROLL
    for (int r = 0; r < 2; ++r) {
      ATTNRT_UNROLL
      for (int w = 0; w < kWarps; ++w) {
        top.score[r] = fmaxf(top.score[r], shared_by(layout_.maxima, w, r));
        if (kHasUnits) top.scale[r] = fmaxf(top.scale[r], shared_by(layout_.totals, w, r));
      }
    }
  }
  // Each warp's value of its rows, which all warps see behind a barrier.
  ATTNRT_DEVICE void share(uint32_t at, const float (&x)[2]) {
    if (lane_ % 4 == 0) {
      ATTNRT_UNROLL
      for (int r = 0; r < 2; ++r) store_shared<float>(shared_at(at, warp_, r), x[r]);
    }
  }
  ATTNRT_DEVICE float shared_by(uint32_t at, int warp, int r) const {
    return load_shared<float>(shared_at(at, warp, r));
  }
  ATTNRT_DEVICE SharedAddress shared_at(uint32_t at, int warp, int r) const {
    return base_ + at + static_cast<SharedAddress>(warp * kWarpRows + lane_ / 4 + 8 * r) * 4;
  }

  // Copy n: of stretch n, or part n.
  ATTNRT_DEVICE SharedAddress weight_at(int row, int key, int n = 0) const {
    return base_ + layout_.weights +
           static_cast<SharedAddress>(n * TileOf::kRows + row) * layout_.weight_pitch +
           static_cast<SharedAddress>(key) * 2;
  }
  // A pair of weights as pairs of halves.
  ATTNRT_DEVICE static void pack_parts(float low, float high, uint32_t (&to)[kWeightParts]) {
    to[0] = pack_halves<ValueHalf>(low, high);
    if constexpr (kWeightParts == 2) {
      to[1] = pack_halves<ValueHalf>(
          low - half_to_float<ValueHalf>(static_cast<uint16_t>(to[0] & 0xFFFFU)),
          high - half_to_float<ValueHalf>(static_cast<uint16_t>(to[0] >> 16)));
    }
  }
  ATTNRT_DEVICE void store_weights() {
    ATTNRT_UNROLL
    for (int r = 0; r < 2; ++r) {
      ATTNRT_UNROLL
      for (int e = 0; e < kEights; ++e) {
        uint32_t parts[kWeightParts];
        pack_parts(scores_[e][2 * r], scores_[e][2 * r + 1], parts);
        ATTNRT_UNROLL
        for (int n = 0; n < kWeightParts; ++n) {
          store_shared<uint32_t>(weight_at(row_of(r), key_of(e, 0), n), parts[n]);
        }
      }
    }
  }

  // A weight times the scale of each stretch of its key's row.
  ATTNRT_DEVICE void store_stretch_weights(SharedAddress k) {
    for (int t = 0; t < kStretches; ++t) {
      ATTNRT_UNROLL
      for (int e = 0; e < kEights; ++e) {
        const float low = stretch_scale(k, key_of(e, 0), t);
        const float high = stretch_scale(k, key_of(e, 1), t);
        ATTNRT_UNROLL
        for (int r = 0; r < 2; ++r) {
          store_shared<uint32_t>(
              weight_at(row_of(r), key_of(e, 0), t),
              pack_halves<Half>(scores_[e][2 * r] * low, scores_[e][2 * r + 1] * high));
        }
      }
    }
  }

  // Fragments of the weights of a tile's keys, 16 at a time.
  using Fragments = uint32_t[kKeys / 16][kWeightParts][4];

  // The fragments of a warp's own rows. Not out of scores_, which would have to be kept for it.
  ATTNRT_DEVICE void store_weights(const Fragments& a) {
    ATTNRT_UNROLL
    for (int step = 0; step < kKeys / 16; ++step) {
      ATTNRT_UNROLL
      for (int n = 0; n < kWeightParts; ++n) {
        ATTNRT_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int key = step * 16 + i / 2 * 8 + lane_ % 4 * 2;
          store_shared<uint32_t>(weight_at(row_of(i % 2), key, n), a[step][n][i]);
        }
      }
    }
  }

  // The scale of a row's block b in a slot.
  ATTNRT_DEVICE SharedAddress scales_at(SharedAddress slot, int key, int b) const {
    return slot + layout_.slot_scales + static_cast<SharedAddress>(key) * layout_.scale_pitch +
           static_cast<SharedAddress>(b);
  }
  template <class PairHalf>
  ATTNRT_DEVICE static void scale_pairs(uint32_t (&pairs)[kUnit], uint32_t scales) {
    ATTNRT_UNROLL
    for (int j = 0; j < kUnit; ++j) pairs[j] = multiply_halves<PairHalf>(pairs[j], scales);
  }

  // The stretch of V that this warp's c-th chunk is in; 0 where there are none.
  static constexpr int stretch_of(int c) {
    return has_stretches(kFormat) ? c * kWarps * 8 * kUnit / kStretch : 0;
  }
  // The weights of the tile's keys [16 step, 16 step + 16), for chunk c.
  ATTNRT_DEVICE void weights_of(int step, uint32_t (&a)[kWeightParts][4], int c = 0) const {
    if constexpr (kByRows) {
      ATTNRT_UNROLL
      for (int i = 0; i < 4; ++i) {
        const float(&s)[4] = scores_[2 * step + i / 2];
        uint32_t parts[kWeightParts];
        pack_parts(s[i % 2 * 2], s[i % 2 * 2 + 1], parts);
        ATTNRT_UNROLL
        for (int n = 0; n < kWeightParts; ++n) a[n][i] = parts[n];
      }
    } else {
      ATTNRT_UNROLL
      for (int n = 0; n < kWeightParts; ++n) {
        load_matrices(a[n], weight_at(lane_ % 16, step * 16 + lane_ / 16 * 8, stretch_of(c) + n));
      }
    }
  }

  // V's elements of chunk `chunk` and the keys [32 half, 32 half + 32): of eights of keys m, the
  // pairs of place j.
  ATTNRT_DEVICE void load_values(SharedAddress v, int chunk, int half,
                                 uint32_t (&wide)[4][kUnit]) const {
    uint32_t stored[4];
    load_matrices_transposed(stored,
                             v + static_cast<SharedAddress>(half * 32 + lane_) * layout_.v_pitch +
                                 static_cast<SharedAddress>(chunk) * 16);
    ATTNRT_UNROLL
    for (int m = 0; m < 4; ++m) {
      const int key = half * 32 + m * 8 + lane_ % 4 * 2;
      if constexpr (kRotated) {
        const auto zero = load_shared<uint32_t>(row_scale_at(v, kKeys + key));
        const auto next = load_shared<uint32_t>(row_scale_at(v, kKeys + key + 1));
        expand_codes<ValueHalf>(stored[m], based_zeros<ValueHalf>(zero, next), wide[m]);
      } else {
        expand<kElements, ValueHalf>(stored[m], wide[m]);
      }
      if constexpr (has_block_scales(kFormat)) {
        // Four columns of two keys, one block each.
        const SharedAddress scale = scales_at(v, key, chunk * 2 + lane_ / 16);
        scale_pairs<ValueHalf>(wide[m],
                               load_block_scales<ValueHalf>(scale, scale + layout_.scale_pitch));
      }
    }
  }

  // sums_ += weights V.
  ATTNRT_DEVICE void add_values(SharedAddress v) {
    Fragments a;
    ATTNRT_UNROLL
    for (int step = 0; step < kKeys / 16; ++step) weights_of(step, a[step]);
    if constexpr (has_specials(kFormat)) {
      if (any_lane(has_unseen(a)) && has_special_values(v)) return add_seen_values(v, a);
    }

    for_values(v, [&](int c, int half, const uint32_t(&wide)[4][kUnit]) {
      if (stretch_of(c) != stretch_of(c == 0 ? 0 : c - 1)) {
        weights_of(2 * half, a[2 * half], c);
        weights_of(2 * half + 1, a[2 * half + 1], c);
      }
      ATTNRT_UNROLL
      for (int j = 0; j < kUnit; ++j) {
        ATTNRT_UNROLL
        for (int n = 0; n < kWeightParts; ++n) {
          multiply_add<ValueHalf>(sums_[c][j], a[2 * half][n], wide[0][j], wide[1][j]);
          multiply_add<ValueHalf>(sums_[c][j], a[2 * half + 1][n], wide[2][j], wide[3][j]);
        }
      }
    });
  }

  // body(c, half, pairs) for this warp's chunks c of V and the tile's keys, 32 at a time.
  template <class Body>
  ATTNRT_DEVICE void for_values(SharedAddress v, Body body) const {
    ATTNRT_UNROLL
    for (int c = 0; c < kWarpChunks; ++c) {
      if (chunk_of(c) >= chunks_) continue;
      ATTNRT_UNROLL
      for (int half = 0; half < kKeys / 32; ++half) {
        uint32_t wide[4][kUnit];
        load_values(v, chunk_of(c), half, wide);
        body(c, half, wide);
      }
    }
  }

  // What a weight's first part leaves may be negative: that says nothing.
  ATTNRT_DEVICE static bool has_unseen(const Fragments& a) {
    uint32_t signs = 0;
    ATTNRT_UNROLL
    for (int step = 0; step < kKeys / 16; ++step) {
      ATTNRT_UNROLL
      for (int i = 0; i < 4; ++i) signs |= a[step][0][i];
    }
    return (signs & kUnseenSigns) != 0;
  }

  // Whether V has a NaN or an infinity in this warp's columns: times a weight of 0 it is not 0.
  ATTNRT_DEVICE bool has_special_values(SharedAddress v) const {
    uint32_t found = 0;
    for_values(v, [&](int, int, const uint32_t(&wide)[4][kUnit]) {
      ATTNRT_UNROLL
      for (int m = 0; m < 4; ++m) {
        ATTNRT_UNROLL
        for (int j = 0; j < kUnit; ++j) found |= special_halves<ValueHalf>(wide[m][j]);
      }
    });
    return any_lane(found != 0);
  }

  // Each row over the keys that it sees and no others: slow, for tiles with special values of which
  // not every row sees all.
  ATTNRT_DEVICE void add_seen_values(SharedAddress v, const Fragments& a) {
    if constexpr (kByRows) {
      store_weights(a);
      sync_warp();
    }
    for (int key = 0; key < kKeys; ++key) {
      const SharedAddress row = v + static_cast<SharedAddress>(key) * layout_.v_pitch;
      ATTNRT_UNROLL
      for (int r = 0; r < 2; ++r) {
        const auto seen = load_shared<uint16_t>(weight_at(row_of(r), key));
        if (seen == (kUnseenSigns & 0xFFFFU)) continue;
        ATTNRT_UNROLL
        for (int c = 0; c < kWarpChunks; ++c) {
          if (chunk_of(c) >= chunks_) continue;
          const float weight = weight_of(row_of(r), key, stretch_of(c));
          ATTNRT_UNROLL
          for (int j = 0; j < kUnit; ++j) {
            ATTNRT_UNROLL
            for (int i = 0; i < 2; ++i) {
              sums_[c][j][2 * r + i] +=
                  weight * expand_one<kElements, ValueHalf>(row, scales_at(v, key, 0),
                                                            column_of(chunk_of(c), j, i));
            }
          }
        }
      }
    }
    if constexpr (kByRows) sync_warp();
  }

  ATTNRT_DEVICE float weight_of(int row, int key, int stretch) const {
    float weight = 0.0F;
    ATTNRT_UNROLL
    for (int n = 0; n < kWeightParts; ++n) {
      weight += half_to_float<ValueHalf>(load_shared<uint16_t>(weight_at(row, key, stretch + n)));
    }
    return weight;
  }

  // Sums to out, or to a part of the result.
  ATTNRT_DEVICE void finish(const WorkItem& item) {
    ATTNRT_UNROLL
    for (int r = 0; r < 2; ++r) {
      total_[r] += shuffle_xor(total_[r], 1);
      total_[r] += shuffle_xor(total_[r], 2);
    }
    if constexpr (!kByRows) {
      share(layout_.totals, total_);
      sync_block();
      ATTNRT_UNROLL
      for (int r = 0; r < 2; ++r) {
        total_[r] = 0.0F;
        ATTNRT_UNROLL
        for (int w = 0; w < kWarps; ++w) total_[r] += shared_by(layout_.totals, w, r);
      }
    }
    if constexpr (kRotated) unrotate_sums();
    ATTNRT_UNROLL
    for (int r = 0; r < 2; ++r) {
      if (row_of(r) >= item.q.rows) continue;
      if (item.units == 0) {
        write_row(item, r);
      } else {
        write_part(item, r);
      }
    }
    const auto finish_one = [&](int unit) {
      finish_unit<TileOf::kRows>(p_, unit, expanded_factor<kElements, ValueHalf>(),
                                 base_ + layout_.maxima);
    };
    if constexpr (kByRows) {  // where sequences share no keys
      if (item.units > 0) finish_one(item.unit);
    } else {
      for (int i = 0; i < item.units; ++i) finish_one(item.unit + i);
    }
  }

  // Through the ring, which is no longer in use.
  ATTNRT_DEVICE void unrotate_sums() {
    constexpr int kStep = kByRows ? 1 : kWarps;
    ATTNRT_UNROLL
    for (int c = 0; c < kWarpChunks; ++c) {
      mix_chunk(sums_[c]);
      if constexpr (!kByRows) mix_warps(sums_[c], base_ + layout_.ring);
    }
    mix_chunks(sums_, kStep, chunks_);
    const float share = 1.0F / static_cast<float>(p_.dim_v);
    ATTNRT_UNROLL
    for (int c = 0; c < kWarpChunks; ++c) {
      finish_chunk(sums_[c], rotation_signs(chunk_of(c)), share);
    }
  }

  // body(column, sum) for this thread's columns of its row r.
  template <class Body>
  ATTNRT_DEVICE void for_columns(int r, Body body) const {
    ATTNRT_UNROLL
    for (int c = 0; c < kWarpChunks; ++c) {
      if (chunk_of(c) >= chunks_) continue;
      ATTNRT_UNROLL
      for (int j = 0; j < kUnit; ++j) {
        ATTNRT_UNROLL
        for (int i = 0; i < 2; ++i) body(column_of(chunk_of(c), j, i), sums_[c][j][2 * r + i]);
      }
    }
  }
  // Whether this thread writes what a row has once.
  ATTNRT_DEVICE bool speaks() const { return lane_ % 4 == 0 && (kByRows || warp_ == 0); }

  ATTNRT_DEVICE void write_row(const WorkItem& item, int r) {
    const RowOut out(p_, item.q, row_of(r));
    Softmax s{reference_[r], total_[r]};
    const float kept = s.join_sink(p_, out.head());
    const float factor = s.inverse() * kept * scale_of(p_.v_scale, item.q.kv_head) *
                         expanded_factor<kElements, ValueHalf>() * unit_[r];
    for_columns(r,
                [&](int column, float sum) { out.write(column, s.empty() ? 0.0F : sum * factor); });
    if (speaks()) out.write_lse(s.lse());
  }

  ATTNRT_DEVICE void write_part(const WorkItem& item, int r) {
    float* to = part_row<TileOf::kRows>(p_, item.part, row_of(r));
    for_columns(r, [&](int column, float sum) { to[column] = sum * unit_[r]; });
    if (!speaks()) return;
    to[p_.dim_v] = reference_[r];
    to[p_.dim_v + 1] = total_[r];
  }

  const AttendParams& p_;
  const SharedLayout& layout_;
  const SharedAddress base_;
  Ring<TileOf> ring_;
  const int lane_;
  const int warp_;
  const int chunks_;  // of 16 bytes in V's rows

  RowMask mask_[2];
  float slope_[2] = {};
  int position_[2] = {};
  float scale_ = 0.0F;

  float scores_[kEights][4];
  float sums_[kWarpChunks][kUnit][4];
  float reference_[2];  // weights are 2^(score - reference)
  float total_[2];      // of this thread's weights
  float unit_[2];       // of sums
};

template <class TileOf, class Half, bool kByRows>
ATTNRT_KERNEL(kThreads, 1)
attend(const ATTNRT_ARGUMENT AttendParams p) {
  const SharedLayout layout = shared_layout(TileOf::kFormat, dtype_of<Half>(), p.dim_qk, p.dim_v,
                                            p.latent, TileOf::kRows, TileOf::kKeys);
  Ring<TileOf>::init(layout, shared_memory());
  Attend<TileOf, Half, kByRows> block(p, layout, shared_memory());
  const int begin = p.first_item[block_index()];
  const int end = p.first_item[block_index() + 1];
  const WorkItem* items = p.batch->division.items;
  for (int i = begin; i < end; ++i) block.run(items[i]);
}

}  // namespace attnrt::cuda
