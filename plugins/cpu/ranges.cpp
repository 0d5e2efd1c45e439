#include "ranges.hpp"

#include <algorithm>

namespace attnrt::cpu {

KeyRange visible_keys(const LayerParams& layer, const Lengths& s, int32_t q_begin,
                      int32_t q_count) {
  const int64_t first = int64_t{s.kv} - s.q + q_begin;
  const int64_t last = first + q_count - 1;
  int64_t low = 0;
  int64_t high = s.kv;
  if (layer.window > 0) low = std::max<int64_t>(0, first - layer.window + 1);
  if (layer.mask == MaskKind::kCausal) high = last + 1;
  if (layer.mask == MaskKind::kPrefixLm) high = std::max<int64_t>(last + 1, s.prefix);
  high = std::clamp<int64_t>(high, 0, s.kv);
  return {static_cast<int32_t>(std::min(low, high)), static_cast<int32_t>(high)};
}

int32_t query_tile(const LayerParams& layer) {
  return std::max(1, kMaxRows / layer.group);
}

int64_t row_floats(const LayerParams& layer) {
  return 2 + (layer.dim_v + kRowPad - 1) / kRowPad * kRowPad;
}

}  // namespace attnrt::cpu
