#include "inputs.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "attnrt/format.hpp"

namespace attnrt::conformance {
namespace {

// Standard normal numbers, drawn once, since drawing costs more than attending: a row takes its own
// from anywhere in them.
constexpr size_t kDrawn = 1 << 16;

const std::vector<double>& drawn() {
  static const std::vector<double> numbers = [] {
    std::mt19937 random(1);
    std::normal_distribution<double> normal;
    std::vector<double> list(kDrawn);
    for (double& x : list) x = normal(random);
    return list;
  }();
  return numbers;
}

}  // namespace

HostTensor make_tensor(const Cell& cell, DType dtype, int64_t tokens, int64_t heads, int64_t width,
                       uint32_t stream) {
  std::mt19937 random(cell.seed * 2654435761u + stream);
  const std::vector<double>& normal = drawn();
  HostTensor tensor(dtype, tokens, heads, width, padding_of(cell, dtype));
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t h = 0; h < heads; ++h) {
      // Outliers: one element of a row a hundred times larger, rows of zeros, rows of one value.
      const uint32_t kind = cell.fill == Fill::kOutliers ? static_cast<uint32_t>(random() % 8) : 7;
      const auto large = static_cast<int64_t>(random() % static_cast<uint32_t>(width));
      const size_t first = random() % kDrawn;
      const double same = normal[first];
      const uint32_t special =
          cell.fill == Fill::kSpecial ? static_cast<uint32_t>(random() % 24) : 3;
      for (int64_t i = 0; i < width; ++i) {
        double value = normal[(first + static_cast<size_t>(i)) % kDrawn];
        if (kind == 0 && i == large) value *= 100;
        if (kind == 1) value = 0;
        if (kind == 2) value = same;
        if (kind == 3) value *= 1e-6;
        if (special < 3 && i == large)
          value = special == 0 ? NAN : special == 1 ? INFINITY : -INFINITY;
        tensor.set(t, h, i, value);
      }
    }
  }
  return tensor;
}

void forget_infinities(HostTensor& t) {
  for (int64_t token = 0; token < t.shape[0]; ++token)
    for (int64_t head = 0; head < t.shape[1]; ++head)
      for (int64_t i = 0; i < t.shape[2]; ++i)
        if (std::isinf(t.get(token, head, i))) t.set(token, head, i, NAN);
}

void mark_keys(const Cell& cell, int64_t width, HostTensor& v) {
  if (cell.fill == Fill::kOutliers) return;
  // The loosest bound, of weights in bf16, is 2^-7 of a column's sum: 64 stands out of it among a
  // thousand keys. Fewer bits would keep nothing of the row beside 64; their bounds are tighter. In
  // a latent cache the mark is part of the key too, and must leave the weights some balance.
  const bool wide = cell.kv == Format::kF32 || cell.kv == Format::kF16 || cell.kv == Format::kBf16;
  const bool separate = cell.cache == CacheKind::kSeparate;
  const double mark = wide && separate ? 64 : 16;
  // Where rows have scales, those of later tiles are larger: what was summed up until then must
  // keep its size.
  const bool grows = separate && info(cell.kv).scales == ScaleKind::kInlineRow;
  constexpr int64_t kFirstKeys = 128;
  for (int64_t key = 0; key < v.shape[0]; ++key)
    for (int64_t h = 0; h < v.shape[1]; ++h)
      if (std::isfinite(v.get(key, h, key % width))) {
        // Not all as large, or all rows of a scaled format would have one scale.
        const double size = mark * (grows && key >= kFirstKeys ? 2 : 1) *
                            (1 + 0.125 * static_cast<double>((key + 3 * h) % 5));
        v.set(key, h, key % width, key / width % 2 == 0 ? size : -size);
      }
}

Parameters make_parameters(const Cell& cell) {
  std::mt19937 random(cell.seed * 40503u + 7u);
  std::normal_distribution<float> normal;
  Parameters p;
  const int32_t heads = cell.kv_heads * cell.group;
  if (cell.features.contains(Feature::kSinks))
    for (int32_t h = 0; h < heads; ++h) p.sinks.push_back(2 * normal(random));
  if (cell.features.contains(Feature::kAlibi))
    for (int32_t h = 0; h < heads; ++h)
      p.slopes.push_back(std::exp2(-8.0f * static_cast<float>(h + 1) / static_cast<float>(heads)));
  if (cell.features.contains(Feature::kSoftcap)) p.softcap = cell.seed % 2 == 0 ? 30.0f : 2.0f;
  // Formats that a factor makes use of: 8 bits and fewer. A factor of 1/16 keeps normal values far
  // from both ends of e4m3.
  const bool narrow = cell.kv == Format::kFp8E4m3 || cell.kv == Format::kFp8E5m2 ||
                      cell.kv == Format::kFp8E4m3fnuz || cell.kv == Format::kNvfp4Linear ||
                      cell.kv == Format::kNvfp4Swizzled || cell.kv == Format::kNvfp4FourOverSix;
  if (narrow || cell.features.contains(Feature::kPerHeadScales)) {
    const int32_t count = cell.features.contains(Feature::kPerHeadScales) ? cell.kv_heads : 1;
    for (int32_t h = 0; h < count; ++h) {
      p.k_scale.push_back(0.0625f * static_cast<float>(1 + h));
      p.v_scale.push_back(0.05f * static_cast<float>(1 + h));
    }
  }
  if (element_bytes(cell.q) == 1) p.q_scale = 0.0625f;
  if (element_bytes(cell.out) == 1) p.out_scale = 0.0625f;
  return p;
}

}  // namespace attnrt::conformance
