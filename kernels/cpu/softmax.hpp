// One step of the online softmax over a tile of scores.
//
// Per row: m is the largest score so far (-inf: none visible yet), l the sum of exp(score - m).
// Scores become weights in place; alpha is what earlier sums must be multiplied by.
#pragma once

#include <float.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// What turns a raw product q . k into a score.
struct ScoreRule {
  float scale;
  float softcap;       // 0: none
  const float* alibi;  // slopes by query head, or null
};

struct RowState {
  float* m;
  float* l;
  float* alpha;
};

constexpr float kMinusInfinity = -__builtin_inff();

// Scales, caps and biases `n` raw scores; what lies behind them up to a full vector becomes -inf.
// Returns whether one of the vectors held -inf already: such keys have weight 0 whatever V holds.
// key_scales: per key, or null.
inline bool finish_scores(const ScoreRule& rule, float slope, int32_t key_minus_query, int n,
                          const float* key_scales, float* s) {
  const Vf scale = splat(rule.scale);
  const Vf cap = splat(rule.softcap);
  Vf low = zero();
  for (int t = 0; t < n; t += kW) {
    Vf x = mul(load(s + t), scale);
    if (key_scales != nullptr) x = mul(x, load(key_scales + t));
    if (rule.softcap > 0.0F) x = mul(cap, tanh(div(x, cap)));
    if (slope != 0.0F) {
      x = fma(splat(slope), to_float(add_i(iota(), splat_i(key_minus_query + t))), x);
    }
    low = min(x, low);
    store(s + t, x);
  }
  const int end = (n + kW - 1) / kW * kW;
  for (int t = n; t < end; ++t) s[t] = kMinusInfinity;
  return count(less(low, splat(-FLT_MAX))) != 0;
}

// Without bits a row sees one range of keys.
inline void hide_masked(const RowMask& mask, int32_t begin, int n, float* s) {
  if (mask.bits != nullptr) {
    for (int t = 0; t < n; ++t) {
      if (!visible(mask, begin + t)) s[t] = kMinusInfinity;
    }
    return;
  }
  const Vi low = splat_i(mask.low);
  const Vi last = splat_i((mask.high > mask.prefix ? mask.high : mask.prefix) - 1);
  const Vf hidden = splat(kMinusInfinity);
  for (int t = 0; t < n; t += kW) {
    const Vi key = add_i(iota(), splat_i(begin + t));
    const Vf x = select(greater_i(low, key), hidden, load(s + t));
    store(s + t, select(greater_i(key, last), hidden, x));
  }
}

// Bit t: key t is masked or its score is -inf. Its weight is 0 whatever V holds; a visible key's
// that is 0 for being small is not.
ATTNRT_INLINE uint64_t unseen_keys(int n, const float* s) {
  uint64_t keys = 0;
  for (int t = 0; t < n; t += kW) {
    keys |= uint64_t{bits_of(less(load(s + t), splat(-FLT_MAX)))} << t;
  }
  return keys;
}

// Weights of one row. value_scales (per key, or null) multiply the weights, not their sum.
inline void weigh_row(int n, const float* value_scales, float* s, RowState state, int r) {
  Vf top = splat(kMinusInfinity);
  for (int t = 0; t < n; t += kW) top = max(load(s + t), top);
  const float before = state.m[r];
  const float tile_max = largest(top);
  const float now = tile_max > before ? tile_max : before;
  // Where nothing is visible yet any number will do: exp(-inf - 0) is 0, and NaN stays NaN.
  const float base = now == kMinusInfinity ? 0.0F : now;
  state.alpha[r] = now == before ? 1.0F : exp1(before - base);
  state.m[r] = now;
  Vf total = zero();
  for (int t = 0; t < n; t += kW) {
    Vf p = exp_bounded(sub(load(s + t), splat(base)));
    total = add(total, p);
    if (value_scales != nullptr) p = mul(p, load(value_scales + t));
    store(s + t, p);
  }
  state.l[r] = state.l[r] * state.alpha[r] + sum(total);
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
