#include "run/session_caches.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "run/session_impl.hpp"

namespace attnrt::runtime {
namespace {

void set_view(LayerCode& code, const attnrt_cache_view& view) {
  code.append_args.cache = view;
  code.attend_args.cache = view;
}

Status add_groups(Session::Impl& impl) {
  for (CacheGroup& group : impl.plan.groups) {
    Result<PageLayout> page = page_layout(group.page, group.layout);
    if (!page) return page.error();
    group.page_bytes = page->bytes;  // memory is cut by it, so no plan's word is taken
    GroupCode code;
    code.page = *page;
    code.limits.block_size = group.page.block_size;
    code.limits.bounds = impl.bounds();
    impl.groups.push_back(code);
  }
  for (size_t i = 0; i < impl.layers.size(); ++i) {
    const LayerGeometry& g = impl.plan.layers[i].geometry;
    BatchLimits& limits = impl.groups[impl.layers[i].group].limits;
    limits.prefix_lm = limits.prefix_lm || g.mask == Feature::kPrefixLm;
    limits.tree_mask = limits.tree_mask || g.mask == Feature::kTreeMask;
    // Only what every layer of the group leaves alone is left unchecked.
    const bool sees_all = g.mask == Feature::kPrefixLm || g.mask == Feature::kCross;
    const int32_t window = sees_all ? 0 : g.window;
    const bool first =
        impl.plan.groups[impl.layers[i].group].layers.front() == impl.layers[i].index;
    if (first) limits.window = window;
    limits.window = window == 0 || limits.window == 0 ? 0 : std::max(limits.window, window);
  }
  return Done{};
}

Status check_view(const attnrt_cache_view& view, const LayerCode& code, const PageLayout& page) {
  std::string found;
  if (view.k.data == nullptr) found = "k.data null";
  if ((view.v.data == nullptr) != code.latent) found = code.latent ? "v.data set" : "v.data null";
  if (view.blocks < 1) found = std::to_string(view.blocks) + " blocks";
  if (view.heads != code.kv_heads) found = std::to_string(view.heads) + " heads";
  if (view.block_size != page.geometry.block_size) {
    found = "block size " + std::to_string(view.block_size);
  }
  if (page.k.scale_offset >= 0 && view.k.scales == nullptr) found = "k.scales null";
  if (found.empty()) return Done{};
  return Error{ErrorCode::kInvalid, "view of layer " + std::to_string(code.index),
               std::to_string(code.kv_heads) + " heads, block size " +
                   std::to_string(page.geometry.block_size) + ", " +
                   std::string(name(page.geometry.format)) +
                   (code.latent ? ", a latent cache" : ", K and V"),
               found, "describe the cache that the plan decided on"};
}

std::string strides_text(const attnrt_cache_side& side) {
  return std::to_string(side.block_stride) + ", " + std::to_string(side.token_stride) + " and " +
         std::to_string(side.head_stride);
}

// Kernels can't take every view that the ABI allows; what they take stands in their manifests.
Status check_rows(const attnrt_cache_view& view, const LayerCode& code, const PageLayout& page) {
  const auto wrong = [&](std::string expected, std::string found, const char* remedy) {
    return Error{ErrorCode::kInvalid, "view of layer " + std::to_string(code.index),
                 std::move(expected), std::move(found), remedy};
  };
  const bool packed = code.append_rules.packed_pages || code.attend_rules.packed_pages;
  if (packed && !is_packed(view, page)) {
    return wrong(
        "packed pages, which the plan's kernels need: rows as in the layout, blocks whole "
        "pages of K and of V apart",
        "strides of " + strides_text(view.k) +
            " bytes between K's blocks, tokens and "
            "heads" +
            (code.latent ? "" : ", " + strides_text(view.v) + " between V's"),
        "pack the pages, or plan with pages: strided for kernels that take these");
  }
  const int32_t needed = std::max(code.append_rules.alignment, code.attend_rules.alignment);
  const int32_t found = alignment_of(view);
  if (found >= needed) return Done{};
  return wrong("data and strides at multiples of " + std::to_string(needed) +
                   " bytes, which the plan's kernels need",
               "multiples of " + std::to_string(found),
               "align them, or plan with this alignment for kernels that take it");
}

Status add_engine_views(Session::Impl& impl) {
  if (impl.options.views.size() != impl.layers.size()) {
    return Error{ErrorCode::kInvalid, "session options, views",
                 std::to_string(impl.layers.size()) + " views, one a layer",
                 std::to_string(impl.options.views.size()), "give all or none"};
  }
  for (GroupCode& group : impl.groups) group.limits.blocks = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; i < impl.layers.size(); ++i) {
    LayerCode& code = impl.layers[i];
    GroupCode& group = impl.groups[code.group];
    attnrt_cache_view view = impl.options.views[i];
    if (Status s = check_view(view, code, group.page); !s) return s;
    if (Status s = check_rows(view, code, group.page); !s) return s;
    if (view.k_scale.data == nullptr) view.k_scale = {nullptr, 0, 1.0f};
    if (view.v_scale.data == nullptr) view.v_scale = {nullptr, 0, 1.0f};
    set_view(code, view);
    group.limits.blocks = std::min(group.limits.blocks, view.blocks);
    const std::vector<BlockRun> runs = block_runs(view, group.page);
    group.runs.insert(group.runs.end(), runs.begin(), runs.end());
  }
  return Done{};
}

Result<uint8_t*> pool_memory(Session::Impl& impl, const PoolLayout& layout, int64_t& chunks) {
  chunks = chunks_for(layout, impl.options.blocks);
  if (impl.options.memory != nullptr) {
    chunks = static_cast<int64_t>(impl.options.memory_bytes) / layout.chunk_bytes;
  }
  int64_t most = 0;
  for (const PoolGroup& g : layout.groups) most = std::max<int64_t>(most, g.blocks_per_chunk);
  if (chunks < 1 || chunks > std::numeric_limits<int32_t>::max() / most) {
    return Error{ErrorCode::kInvalid, "session options, caches",
                 "memory of at least " + std::to_string(layout.chunk_bytes) +
                     " bytes and fewer than 2^31 blocks",
                 std::to_string(chunks) + " chunks", "change memory_bytes or blocks"};
  }
  if (impl.options.memory != nullptr) return static_cast<uint8_t*>(impl.options.memory);
  Result<Memory> memory =
      Memory::allocate(impl.device(), impl.options.device_allocator, Memory::Place::kDevice,
                       static_cast<uint64_t>(chunks * layout.chunk_bytes), 4096);
  if (!memory) return memory.error();
  impl.cache = std::move(*memory);
  return static_cast<uint8_t*>(impl.cache.data());
}

Status add_pool(Session::Impl& impl) {
  const PoolLayout layout = pool_of(impl.plan.groups);
  int64_t chunks = 0;
  Result<uint8_t*> memory = pool_memory(impl, layout, chunks);
  if (!memory) return memory.error();
  impl.pool = BlockPool(layout, chunks);
  for (uint32_t g = 0; g < impl.groups.size(); ++g) {
    const PoolGroup& cut = layout.groups[g];
    impl.groups[g].limits.blocks = impl.pool.blocks(g);
    impl.groups[g].runs = {{*memory, cut.block_stride, cut.layers * cut.page_stride}};
  }
  std::vector<int64_t> placed(impl.groups.size(), 0);
  for (LayerCode& code : impl.layers) {
    const PoolGroup& cut = layout.groups[code.group];
    uint8_t* first_page = *memory + placed[code.group]++ * cut.page_stride;
    const PageLayout& page = impl.groups[code.group].page;
    const attnrt_cache_view view =
        cache_view(page, first_page, cut.block_stride, impl.pool.blocks(code.group));
    // Memory of the engine's may begin anywhere.
    if (Status s = check_rows(view, code, page); !s) return s;
    set_view(code, view);
  }
  return Done{};
}

}  // namespace

Status add_caches(Session::Impl& impl) {
  if (Status s = add_groups(impl); !s) return s;
  if (impl.plan.groups.empty()) return Done{};
  return impl.options.views.empty() ? add_pool(impl) : add_engine_views(impl);
}

}  // namespace attnrt::runtime
