// Prefill by FlashInfer's Hopper kernel: the op, and one batch's plan.
#pragma once

#include <attnrt/plugin.hpp>
#include <memory>

#include "hopper.hpp"
#include "kernels/cuda/machine.hpp"
#include "pages.hpp"

namespace attnrt::flashinfer {

std::unique_ptr<plugin::Op> make_hopper(const cuda::Machine& machine, const Layer& layer);

// Bytes of the three areas for what has this capacity; do not fall as it grows.
attnrt_workspace_sizes size_hopper(const Layer& layer, int32_t multiprocessors,
                                   const Capacity& capacity);

}  // namespace attnrt::flashinfer
