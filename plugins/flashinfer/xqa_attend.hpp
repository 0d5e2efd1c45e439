// Decode by XQA: the op, and one batch's table.
#pragma once

#include <attnrt/plugin.hpp>
#include <memory>

#include "kernels/cuda/machine.hpp"
#include "pages.hpp"
#include "xqa.hpp"

namespace attnrt::flashinfer {

std::unique_ptr<plugin::Op> make_xqa(const cuda::Machine& machine, const Layer& layer);

// Room for batches: each request has a row of the table, as long as the longest.
struct XqaCapacity {
  int32_t requests;
  int32_t row;  // pages

  [[nodiscard]] bool holds(const XqaCapacity& other) const {
    return requests >= other.requests && row >= other.row;
  }
};
XqaCapacity xqa_capacity_of(const Requests& requests);
XqaCapacity xqa_capacity_of(const Layer& layer, const attnrt_bounds& bounds);

// Bytes of the three areas for what has this capacity; do not fall as it grows.
attnrt_workspace_sizes size_xqa(const Layer& layer, int32_t multiprocessors,
                                const XqaCapacity& capacity);

}  // namespace attnrt::flashinfer
