// Which enumeration values this version of the header knows; others are ATTNRT_UNSUPPORTED.
#ifndef ATTNRT_PLUGIN_KNOWN_HPP_
#define ATTNRT_PLUGIN_KNOWN_HPP_

#include <attnrt/plugin/error.hpp>

namespace attnrt::plugin {

inline constexpr uint64_t kKnownFeatures = (ATTNRT_FEATURE_SPARSE << 1) - 1;

inline void check_known(int32_t value, int32_t last, const char* name) {
  if (value < 1 || value > last) {
    fail(ATTNRT_UNSUPPORTED, name, " is ", value, ", this plugin knows 1 to ", last);
  }
}

inline void check_device(const attnrt_device& device) {
  check_known(device.kind, ATTNRT_DEVICE_SIMT, "device.kind");
  require(device.option_count == 0 || device.options != nullptr,
          "device.options is null, count is ", device.option_count);
}

inline void check_layer_class(const attnrt_layer_class& layer) {
  check_known(layer.op, ATTNRT_OP_MERGE, "op");
  check_known(layer.q_dtype, ATTNRT_DTYPE_FP8_E4M3FNUZ, "q_dtype");
  if (layer.op != ATTNRT_OP_APPEND) {
    check_known(layer.out_dtype, ATTNRT_DTYPE_FP8_E4M3FNUZ, "out_dtype");
  }
  if (layer.op != ATTNRT_OP_MERGE) {
    check_known(layer.layout, ATTNRT_LAYOUT_HND, "layout");
    check_known(layer.cache_kind, ATTNRT_CACHE_LATENT, "cache_kind");
    require(layer.cache_format != nullptr, "cache_format is null");
    require(layer.block_size >= 1, "block_size is ", layer.block_size, ", expected at least 1");
  }
  require(layer.q_heads >= 1 && layer.head_dim_v >= 1, "q_heads is ", layer.q_heads,
          " and head_dim_v ", layer.head_dim_v, ", expected at least 1");
  if ((layer.features & ~kKnownFeatures) != 0) {
    fail(ATTNRT_UNSUPPORTED, "features has unknown bits: ", layer.features & ~kKnownFeatures);
  }
}

}  // namespace attnrt::plugin

#endif  // ATTNRT_PLUGIN_KNOWN_HPP_
