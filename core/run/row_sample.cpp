#include "run/row_sample.hpp"

#include <algorithm>
#include <tuple>

namespace attnrt::runtime {
namespace {

bool before(const RowSample::Row& a, const RowSample::Row& b) {
  return std::tie(a.sequence, a.position) < std::tie(b.sequence, b.position);
}

}  // namespace

RowSample::RowSample(std::span<const SequenceSpec> sequences, double fraction, uint64_t seed) {
  if (fraction <= 0) return;
  uint64_t state = seed;
  for (size_t s = 0; s < sequences.size(); ++s) {
    const int32_t length = sequences[s].length();
    for (int32_t p = 0; p < length; ++p) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const double drawn = static_cast<double>(state >> 11) * 0x1p-53;
      if (drawn < fraction || p == 0 || p + 1 == length) {
        rows_.push_back({static_cast<int32_t>(s), p});
      }
    }
  }
}

std::pair<size_t, size_t> RowSample::range(int32_t sequence, int32_t first, int32_t end) const {
  const auto index = [&](int32_t position) {
    const auto at = std::lower_bound(rows_.begin(), rows_.end(), Row{sequence, position}, before);
    return static_cast<size_t>(at - rows_.begin());
  };
  return {index(first), index(end)};
}

}  // namespace attnrt::runtime
