// The joint choice: one option a class of layers, so that the whole is best. Pure combinatorics; it
// knows nothing of kernels or formats.
//
// Best means, in this order: the policy, the sum of the scores, fewer bytes per token (a pool's
// page is as large as the largest page in it), fewer plugins, block sizes nearest 16, the order of
// the formats, of the layouts, and of the plugins' names.
//
// Policy and scores are sums over classes, so each class keeps its best options by itself. Bytes
// couple the classes through the pool's page only, so every page size that occurs is tried, and for
// each the bytes are a sum again. Plugins are tried in sets of growing size. All three steps are
// exact; only where more than kMaxPluginSets sets of plugins would have to be tried (dozens of
// plugins with equal scores and nothing in common) is the smallest set approximated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace attnrt {

inline constexpr size_t kRequiredOps = 3;  // append, prefill, decode
inline constexpr size_t kMaxPluginSets = 200000;

// A kernel that may serve an op of a class, among equals in policy and score.
struct JointKernel {
  uint32_t row = 0;  // of the catalog
  uint32_t plugin = 0;
  uint32_t name_rank = 0;  // of the plugin
};

// One way to lay out a class's cache, with the best kernels for it.
struct JointOption {
  std::array<uint32_t, kRequiredOps> policy_ranks{};  // ascending
  int64_t score = 0;                                  // of one layer, summed over ops
  int64_t page_bytes = 0;
  int32_t block_size = 16;
  int32_t format_order = 0;
  int32_t layout_order = 0;
  std::array<std::vector<JointKernel>, kRequiredOps> kernels{};  // none empty
};

struct JointClass {
  int64_t layers = 0;
  std::vector<JointOption> options;  // not empty
};

struct JointChoice {
  size_t option = 0;
  std::array<uint32_t, kRequiredOps> rows{};
};

struct JointPlan {
  int64_t pool_page_bytes = 0;
  std::vector<JointChoice> choices;  // a class each
  std::vector<uint32_t> plugins;     // in use
};

// Precondition: no class without options.
JointPlan choose_jointly(const std::vector<JointClass>& classes);

}  // namespace attnrt
