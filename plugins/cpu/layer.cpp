#include "layer.hpp"

#include <algorithm>
#include <attnrt/plugin.hpp>
#include <cmath>

#include "support.hpp"

namespace attnrt::cpu {
namespace {

using plugin::fail;
using plugin::require;
using plugin::require_listed;

template <class List, class Value>
bool contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

const KernelSupport& find_kernel(std::string_view name) {
  const auto* found = std::find_if(kKernels.begin(), kKernels.end(),
                                   [&](const KernelSupport& k) { return k.name == name; });
  if (found == kKernels.end()) {
    fail(ATTNRT_UNSUPPORTED, "kernel '", name, "' is not in the manifest");
  }
  return *found;
}

Format find_format(const KernelSupport& kernel, std::string_view name) {
  for (const NamedFormat& f : kernel.formats) {
    if (f.name == name) return f.format;
  }
  require_listed(false, "cache_format", "'" + std::string(name) + "'");
  return Format::kF32;
}

MaskKind mask_of(uint64_t features) {
  switch (plugin::mask_of(features)) {
    case ATTNRT_FEATURE_NON_CAUSAL:
      return MaskKind::kNonCausal;
    case ATTNRT_FEATURE_CROSS:
      return MaskKind::kCross;
    case ATTNRT_FEATURE_TREE_MASK:
      return MaskKind::kTree;
    case ATTNRT_FEATURE_PREFIX_LM:
      return MaskKind::kPrefixLm;
    default:
      return MaskKind::kCausal;
  }
}

void check_cache(const KernelSupport& kernel, const attnrt_layer_class& c) {
  require_listed(c.cache_kind == kernel.cache_kind, "cache_kind", std::to_string(c.cache_kind));
  const bool block = c.block_size >= 1 && c.block_size <= kernel.max_block &&
                     c.block_size % kernel.block_step == 0;
  require_listed(block, "block_size", std::to_string(c.block_size));
  require(c.kv_heads >= 1 && c.q_heads >= 1 && c.q_heads % c.kv_heads == 0, "q_heads is ",
          c.q_heads, ", expected a multiple of kv_heads, ", c.kv_heads);
  require_listed(c.q_heads / c.kv_heads <= kernel.max_group, "the group of q_heads / kv_heads",
                 std::to_string(c.q_heads / c.kv_heads));
}

void check_listed(const KernelSupport& kernel, const attnrt_layer_class& c) {
  const bool append = c.op == ATTNRT_OP_APPEND;
  const bool merge = c.op == ATTNRT_OP_MERGE;
  require_listed((kernel.ops >> c.op & 1U) != 0, "op", std::to_string(c.op));
  require_listed(contains(kernel.q, c.q_dtype), "q_dtype", plugin::dtype_name(c.q_dtype));
  require_listed(append || contains(kernel.out, c.out_dtype), "out_dtype",
                 plugin::dtype_name(c.out_dtype));
  const int32_t qk = merge ? c.head_dim_v : c.head_dim_qk;
  const bool dims = std::any_of(kernel.head_dims.begin(), kernel.head_dims.end(),
                                [&](const HeadDims& d) { return d.has(qk, c.head_dim_v); });
  require_listed(dims, "head_dim", plugin::message("[", qk, ", ", c.head_dim_v, "]"));
  if ((c.features & ~kernel.features) != 0) {
    fail(ATTNRT_UNSUPPORTED, "features has bits that this kernel's manifest does not list: ",
         c.features & ~kernel.features);
  }
  if (!merge) check_cache(kernel, c);
}

}  // namespace

Layer make_layer(std::string_view kernel_name, const attnrt_layer_class& c) {
  const KernelSupport& kernel = find_kernel(kernel_name);
  check_listed(kernel, c);
  Layer layer{{}, c.op, c.q_dtype, c.out_dtype, c.features};
  LayerParams& p = layer.params;
  p.q_heads = c.q_heads;
  p.dim_qk = c.head_dim_qk;
  p.dim_v = c.head_dim_v;
  if (c.op == ATTNRT_OP_MERGE) return layer;

  plugin::check_parameters(c);
  p.format = find_format(kernel, c.cache_format);
  p.mask = mask_of(c.features);
  p.kv_heads = c.kv_heads;
  p.group = c.q_heads / c.kv_heads;
  p.block_size = c.block_size;
  p.window = c.window;
  p.latent = c.cache_kind == ATTNRT_CACHE_LATENT ? 1 : 0;
  p.heads_together = c.layout == ATTNRT_LAYOUT_NHD ? 1 : 0;
  p.softmax_scale = c.softmax_scale != 0.0F
                        ? c.softmax_scale
                        : static_cast<float>(1.0 / std::sqrt(double(c.head_dim_qk)));
  p.softcap = c.softcap;
  return layer;
}

}  // namespace attnrt::cpu
