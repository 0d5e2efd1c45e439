// The plugin's op: attention by plans of cuDNN's.
#pragma once

#include <attnrt/plugin.hpp>
#include <memory>

#include "graph.hpp"
#include "kernels/cuda/machine.hpp"
#include "layer.hpp"

namespace attnrt::cudnn {

// Machine and library outlive it.
std::unique_ptr<plugin::Op> make_attend(const cuda::Machine& machine, Library& library,
                                        const Layer& layer);

}  // namespace attnrt::cudnn
