// The plugin's op. `machine` outlives it.
#pragma once

#include <attnrt/plugin.hpp>
#include <memory>

#include "kernels/cuda/machine.hpp"
#include "layer.hpp"

namespace attnrt::flashinfer {

std::unique_ptr<plugin::Op> make_attend(const cuda::Machine& machine, const Layer& layer);

}  // namespace attnrt::flashinfer
