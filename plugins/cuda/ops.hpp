// The plugin's ops. `machine` outlives them.
#pragma once

#include <attnrt/plugin.hpp>
#include <memory>

#include "kernels/cuda/machine.hpp"
#include "layer.hpp"

namespace attnrt::cuda {

std::unique_ptr<plugin::Op> make_append(const Machine& machine, const Layer& layer);
std::unique_ptr<plugin::Op> make_attend(const Machine& machine, const Layer& layer);

// Throws where a kernel could not be started.
inline void check_launch(const char* what, const char* error) {
  if (error != nullptr) plugin::fail(ATTNRT_DEVICE_ERROR, what, ": ", error);
}

}  // namespace attnrt::cuda
