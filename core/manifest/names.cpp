// Names of ops and features, and back.
#include <array>

#include "attnrt/manifest.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace {

// Indexed by Op - 1.
constexpr std::array<std::string_view, 5> kOps{"append", "prefill", "decode", "mixed", "merge"};
// Indexed by Feature.
constexpr std::array<std::string_view, kFeatureCount> kFeatures{
    "causal",          "non_causal",      "cross",   "tree_mask",      "prefix_lm",
    "window",          "sinks",           "softcap", "alibi",          "lse",
    "per_head_scales", "batch_invariant", "graph",   "device_lengths", "sparse"};

}  // namespace

std::string_view name(Op op) {
  const auto index = static_cast<size_t>(op) - 1;
  return index < kOps.size() ? kOps[index] : "?";
}

std::string_view name(Feature feature) {
  const auto index = static_cast<size_t>(feature);
  return index < kFeatures.size() ? kFeatures[index] : "?";
}

Result<Op> parse_op(std::string_view text) {
  for (size_t i = 0; i < kOps.size(); ++i) {
    if (kOps[i] == text) return static_cast<Op>(i + 1);
  }
  return unknown_name("an op", text, kOps);
}

Result<Feature> parse_feature(std::string_view text) {
  for (size_t i = 0; i < kFeatures.size(); ++i) {
    if (kFeatures[i] == text) return static_cast<Feature>(i);
  }
  return unknown_name("a feature", text, kFeatures);
}

}  // namespace attnrt
