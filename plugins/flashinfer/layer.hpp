// A layer class checked against the support table, and which kernel it takes.
#pragma once

#include <attnrt/plugin.h>

#include <string_view>

#include "kernels.hpp"

namespace attnrt::flashinfer {

// Which of FlashInfer's kernels: the one for tensor cores of all devices, that of Hopper, or XQA.
enum class Path : int32_t { kFa2, kHopper, kXqa };

struct Layer {
  Path path;
  AttendKernel kernel;
  int32_t q_dtype;
  bool decode;
  bool graph;
  bool sinks;
  bool hnd;
  int32_t kv_heads;
  int32_t group;
  int32_t block_size;
  int32_t window;  // 0: none
  float softmax_scale;
  float softcap;  // 0: none

  [[nodiscard]] int32_t q_heads() const { return kv_heads * group; }
};

// Throws PluginError: ATTNRT_UNSUPPORTED for what the manifest does not list, naming it.
Layer make_layer(std::string_view kernel, const attnrt_layer_class& c);

}  // namespace attnrt::flashinfer
