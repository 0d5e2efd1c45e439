// What plugin.h demands of a layer class, a batch and a cache, checked with texts for people.
//
// All throw PluginError: ATTNRT_INVALID_ARGUMENT where the caller broke the contract,
// ATTNRT_UNSUPPORTED for what a manifest does not list. Pure functions of host memory.
#ifndef ATTNRT_PLUGIN_CHECKS_HPP_
#define ATTNRT_PLUGIN_CHECKS_HPP_

#include <attnrt/plugin/views.hpp>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace attnrt::plugin {

inline constexpr uint64_t kMaskFeatures = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_NON_CAUSAL |
                                          ATTNRT_FEATURE_CROSS | ATTNRT_FEATURE_TREE_MASK |
                                          ATTNRT_FEATURE_PREFIX_LM;

// require_listed(ok, "block_size", 48): for values that the chosen kernel's manifest does not list.
template <class... Value>
void require_listed(bool listed, const char* what, const Value&... value) {
  if (!listed) {
    fail(ATTNRT_UNSUPPORTED, what, " is ", value...,
         ", which this kernel's manifest does not list");
  }
}

// The entry of a plugin's table of kernels that has this name.
template <class Kernels>
const auto& kernel_named(const Kernels& kernels, std::string_view name) {
  for (const auto& kernel : kernels) {
    if (kernel.name == name) return kernel;
  }
  fail(ATTNRT_UNSUPPORTED, "kernel '", name, "' is not in the manifest");
}
// The entry of a kernel's formats that has this name.
template <class Formats>
const auto& format_named(const Formats& formats, std::string_view name) {
  for (const auto& format : formats) {
    if (format.name == name) return format;
  }
  fail(ATTNRT_UNSUPPORTED, "cache_format is '", name,
       "', which this kernel's manifest does not list");
}

inline void check_features(uint64_t features, uint64_t listed) {
  if ((features & ~listed) != 0) {
    fail(ATTNRT_UNSUPPORTED,
         "features has bits that this kernel's manifest does not list: ", features & ~listed);
  }
}

// Query heads of a KV head.
inline int32_t group_of(const attnrt_layer_class& c, int32_t most) {
  require(c.kv_heads >= 1 && c.q_heads >= 1 && c.q_heads % c.kv_heads == 0, "q_heads is ",
          c.q_heads, ", expected a multiple of kv_heads, ", c.kv_heads);
  const int32_t group = c.q_heads / c.kv_heads;
  require_listed(group <= most, "the group of q_heads / kv_heads", group);
  return group;
}

// 0 stands for 1 / sqrt(head_dim_qk).
inline float softmax_scale_of(const attnrt_layer_class& c) {
  return c.softmax_scale != 0.0F ? c.softmax_scale
                                 : static_cast<float>(1.0 / std::sqrt(double(c.head_dim_qk)));
}

// An area of a workspace; needed: bytes.
inline void check_area(const char* name, const void* memory, uint64_t given, uint64_t needed) {
  require(given >= needed && (needed == 0 || memory != nullptr), name, " has ", given,
          " bytes, this batch needs ", needed,
          ": ask for a workspace with bounds that hold the batch");
}

// The three areas of a workspace, for a batch that needs so much of each.
inline void check_workspace(const attnrt_workspace& given, const attnrt_workspace_sizes& needed) {
  check_area("state", given.state, given.state_bytes, needed.state.bytes);
  check_area("scratch", given.scratch, given.scratch_bytes, needed.scratch.bytes);
  check_area("staging", given.staging, given.staging_bytes, needed.staging.bytes);
}

// The feature bit of the one mask; causal where none is named.
inline uint64_t mask_of(uint64_t features) {
  const uint64_t masks = features & kMaskFeatures;
  require(std::popcount(masks) <= 1, "features name ", std::popcount(masks),
          " masks, expected one");
  return masks == 0 ? ATTNRT_FEATURE_CAUSAL : masks;
}

// Window and soft cap: there with their feature, 0 without.
inline void check_parameters(const attnrt_layer_class& c) {
  const bool window = (c.features & ATTNRT_FEATURE_WINDOW) != 0;
  const bool softcap = (c.features & ATTNRT_FEATURE_SOFTCAP) != 0;
  require(window ? c.window >= 1 : c.window == 0, "window is ", c.window,
          window ? ", expected at least 1" : " without feature window");
  require(softcap ? c.softcap > 0.0F : c.softcap == 0.0F, "softcap is ", c.softcap,
          softcap ? ", expected above 0" : " without feature softcap");
}

// A batch whose lengths the host knows: a plugin without the feature device_lengths.
inline void check_batch(const attnrt_batch& b, uint64_t features) {
  require(b.sequences >= 0 && b.tokens >= 0, "sequences is ", b.sequences, " and tokens ",
          b.tokens);
  if (b.sequences == 0) {
    require(b.tokens == 0, "tokens is ", b.tokens, " without a sequence");
    return;
  }
  require(b.q_start.host != nullptr && b.kv_len.host != nullptr,
          "q_start.host or kv_len.host is null; device_lengths is not in the manifest");
  require(b.q_start.host[0] == 0 && b.q_start.host[b.sequences] == b.tokens,
          "q_start does not run from 0 to tokens, ", b.tokens);
  require((features & ATTNRT_FEATURE_PREFIX_LM) == 0 || b.prefix_len.host != nullptr,
          "prefix_len.host is null with feature prefix_lm");
  require((features & ATTNRT_FEATURE_TREE_MASK) == 0 ||
              (b.tree_mask.host != nullptr && b.tree_offset.host != nullptr),
          "tree_mask.host or tree_offset.host is null with feature tree_mask");
}

// What a sequence of a batch asks for.
struct Lengths {
  int32_t q;
  int32_t kv;
  int32_t prefix;  // with prefix_lm, else 0
};

// Of a batch that check_batch has passed. `table`: where the plugin reads the block table, on the
// host or the device; not read here.
inline std::vector<Lengths> lengths_of(const attnrt_batch& b, uint64_t features, int32_t block_size,
                                       const int32_t* table) {
  std::vector<Lengths> all;
  all.reserve(static_cast<size_t>(b.sequences));
  const bool prefix = (features & ATTNRT_FEATURE_PREFIX_LM) != 0;
  const int64_t capacity = b.block_table_stride * block_size;
  for (int32_t n = 0; n < b.sequences; ++n) {
    const Lengths s{b.q_start.host[n + 1] - b.q_start.host[n], b.kv_len.host[n],
                    prefix ? b.prefix_len.host[n] : 0};
    require(s.q >= 0 && s.kv >= 0 && s.prefix >= 0, "sequence ", n, " has ", s.q, " query tokens, ",
            s.kv, " keys and a prefix of ", s.prefix);
    require(s.q == 0 || s.kv == 0 || (table != nullptr && s.kv <= capacity), "sequence ", n,
            " has ", s.kv, " keys, its row of the block table holds ", capacity);
    all.push_back(s);
  }
  return all;
}

// Where rows stand, for kernels whose manifest lists packed tensors alone: a tensor that
// check_tensor has passed, of rank 3, or of rank 2 with values for rows.
inline void check_packed(const attnrt_tensor& t, const char* name) {
  const int64_t width = t.rank == 3 ? t.shape[2] : 1;
  const int64_t token = t.shape[1] * width;
  if ((t.shape[0] <= 1 || t.stride[0] == token) && (t.shape[1] <= 1 || t.stride[1] == width)) {
    return;
  }
  fail(ATTNRT_UNSUPPORTED, name, " has strides of ", t.stride[0], " and ", t.stride[1],
       " elements between tokens and heads; this kernel's manifest lists packed rows alone: ",
       token, " and ", width);
}

// One side of a page: `tokens` rows of so many bytes for each head.
struct PackedPage {
  int64_t row_bytes;
  int64_t heads;
  int64_t tokens;
  bool hnd;

  [[nodiscard]] int64_t token_stride() const { return hnd ? row_bytes : row_bytes * heads; }
  [[nodiscard]] int64_t head_stride() const { return hnd ? row_bytes * tokens : row_bytes; }
  [[nodiscard]] int64_t bytes() const { return row_bytes * heads * tokens; }
};

// For kernels that list packed pages alone. Returns how many pages lie between two of the side's
// `blocks` blocks, at least 1.
inline int64_t check_packed(const attnrt_cache_side& s, const char* name, const PackedPage& page,
                            int64_t blocks) {
  const int64_t token = page.token_stride();
  const int64_t head = page.head_stride();
  if ((page.tokens > 1 && s.token_stride != token) || (page.heads > 1 && s.head_stride != head)) {
    fail(ATTNRT_UNSUPPORTED, name, " has strides of ", s.token_stride, " and ", s.head_stride,
         " bytes between tokens and heads; this kernel's manifest lists packed pages alone: ",
         token, " and ", head);
  }
  if (blocks <= 1) return 1;
  if (s.block_stride < page.bytes() || s.block_stride % page.bytes() != 0) {
    fail(ATTNRT_UNSUPPORTED, name, ".block_stride is ", s.block_stride,
         " bytes; this kernel's manifest lists packed pages alone: a multiple of ", page.bytes());
  }
  return s.block_stride / page.bytes();
}

// For kernels with an alignment, in bytes: data and strides are multiples of it.
inline void check_aligned(const void* data, std::initializer_list<int64_t> byte_strides,
                          const char* name, int64_t alignment) {
  auto all = std::bit_cast<uint64_t>(data);
  for (const int64_t stride : byte_strides) all |= static_cast<uint64_t>(stride);
  if (all % static_cast<uint64_t>(alignment) == 0) return;
  fail(ATTNRT_UNSUPPORTED, name, " begins, or has strides, at other than multiples of ", alignment,
       " bytes, the alignment in this kernel's manifest");
}
inline void check_aligned(const attnrt_tensor& t, const char* name, int64_t alignment) {
  const int64_t bytes = dtype_bytes(t.dtype);
  check_aligned(t.data, {t.stride[0] * bytes, t.stride[1] * bytes}, name, alignment);
}
inline void check_aligned(const attnrt_cache_side& s, const char* name, int64_t alignment) {
  check_aligned(s.data, {s.block_stride, s.token_stride, s.head_stride}, name, alignment);
}

// A cache as an op was prepared for it. scaled: rows or blocks have scales of their own.
inline void check_cache(const attnrt_cache_view& view, int32_t kv_heads, int32_t block_size,
                        bool latent, bool scaled) {
  require(view.block_size == block_size, "cache.block_size is ", view.block_size,
          ", the op was prepared for ", block_size);
  require(view.heads == kv_heads, "cache.heads is ", view.heads, ", the op was prepared for ",
          kv_heads);
  require(view.blocks == 0 || view.k.data != nullptr, "cache.k.data is null");
  require(view.blocks == 0 || latent == (view.v.data == nullptr), "cache.v.data is ",
          view.v.data == nullptr ? "null" : "given", latent ? " with" : " without",
          " a latent cache");
  require(!scaled || view.blocks == 0 ||
              (view.k.scales != nullptr && (latent || view.v.scales != nullptr)),
          "cache.k.scales or cache.v.scales is null, the format has scales of its own");
  check_scale(view.k_scale, "cache.k_scale", view.heads);
  check_scale(view.v_scale, "cache.v_scale", view.heads);
}

}  // namespace attnrt::plugin

#endif  // ATTNRT_PLUGIN_CHECKS_HPP_
