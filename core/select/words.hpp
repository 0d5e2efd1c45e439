// Small facts about requests that the selector, the planner and their explanations share.
#pragma once

#include <string>

#include "attnrt/select.hpp"

namespace attnrt {

inline constexpr Features kMasks{Feature::kCausal, Feature::kNonCausal, Feature::kCross,
                                 Feature::kTreeMask, Feature::kPrefixLm};
// Promises about how numbers are computed. A request may give them up; the rest are facts.
inline constexpr Features kGuarantees{Feature::kBatchInvariant, Feature::kGraph,
                                      Feature::kDeviceLengths};

constexpr bool attends(Op op) {
  return op == Op::kPrefill || op == Op::kDecode || op == Op::kMixed;
}

// False if the format is defined for no such cache (nvfp4 of head size 72, fp8_ds_mla in a separate
// one): no kernel can then serve it, whatever its manifest lists.
bool format_exists(Format format, CacheKind cache, HeadDim head_dim);

// Bytes, powers of two, of which the rows of packed tensors and pages begin at multiples; where
// they are not packed, or bytes are not known, as many as a kernel may ask for.
int32_t tensor_row_alignment(const Request& request);
int64_t page_row_alignment(const Request& request);
int64_t page_row_alignment(const PageGeometry& packed);

// "causal,window": as the option --features takes them.
std::string to_string(Features features);

}  // namespace attnrt
