#include "layer.hpp"

#include <algorithm>
#include <attnrt/plugin/checks.hpp>
#include <cmath>

#include "support.hpp"

namespace attnrt::flashinfer {
namespace {

using plugin::fail;
using plugin::require;
using plugin::require_listed;

const KernelSupport& find_kernel(std::string_view name) {
  for (const KernelSupport& k : kKernels) {
    if (k.name == name) return k;
  }
  fail(ATTNRT_UNSUPPORTED, "kernel '", name, "' is not in the manifest");
}

Stored find_format(const KernelSupport& kernel, std::string_view name) {
  for (const NamedFormat& f : kernel.formats) {
    if (f.name == name) return f.stored;
  }
  fail(ATTNRT_UNSUPPORTED, "cache_format is '", name,
       "', which this kernel's manifest does not list");
}

void check_listed(const KernelSupport& kernel, const attnrt_layer_class& c) {
  require_listed((kernel.ops >> c.op & 1U) != 0, "op", c.op);
  require_listed(c.q_dtype == kernel.q_dtype, "q_dtype", plugin::dtype_name(c.q_dtype));
  require_listed(c.out_dtype == kernel.q_dtype, "out_dtype", plugin::dtype_name(c.out_dtype));
  require_listed(c.head_dim_qk == c.head_dim_v &&
                     std::count(kHeadDims.begin(), kHeadDims.end(), c.head_dim_qk) != 0,
                 "head_dim", "[", c.head_dim_qk, ", ", c.head_dim_v, "]");
  if ((c.features & ~kFeatures) != 0) {
    fail(ATTNRT_UNSUPPORTED,
         "features has bits that this kernel's manifest does not list: ", c.features & ~kFeatures);
  }
  require_listed(c.cache_kind == ATTNRT_CACHE_SEPARATE, "cache_kind", c.cache_kind);
  require_listed(c.block_size <= kMaxBlock, "block_size", c.block_size);
  require(c.kv_heads >= 1 && c.q_heads >= 1 && c.q_heads % c.kv_heads == 0, "q_heads is ",
          c.q_heads, ", expected a multiple of kv_heads, ", c.kv_heads);
  require_listed(c.q_heads / c.kv_heads <= kMaxGroup, "the group of q_heads / kv_heads",
                 c.q_heads / c.kv_heads);
}

}  // namespace

Layer make_layer(std::string_view kernel_name, const attnrt_layer_class& c) {
  const KernelSupport& kernel = find_kernel(kernel_name);
  check_listed(kernel, c);
  plugin::check_parameters(c);
  plugin::mask_of(c.features);
  Layer layer{};
  layer.kernel = {kernel.half, find_format(kernel, c.cache_format), c.head_dim_qk};
  layer.q_dtype = c.q_dtype;
  layer.decode = c.op == ATTNRT_OP_DECODE;
  layer.graph = (c.features & ATTNRT_FEATURE_GRAPH) != 0;
  layer.kv_heads = c.kv_heads;
  layer.group = c.q_heads / c.kv_heads;
  layer.block_size = c.block_size;
  layer.window = c.window;
  layer.softmax_scale = c.softmax_scale != 0.0F
                            ? c.softmax_scale
                            : static_cast<float>(1.0 / std::sqrt(double(c.head_dim_qk)));
  layer.softcap = c.softcap;
  return layer;
}

}  // namespace attnrt::flashinfer
