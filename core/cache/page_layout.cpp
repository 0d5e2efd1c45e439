// Where the rows and scales of a page stand. Facts about formats come from core/format's table.
#include <bit>
#include <limits>
#include <string>

#include "attnrt/cache.hpp"
#include "format/row_split.hpp"

namespace attnrt {
namespace {

// Places one side at `offset`; returns the offset behind it.
int64_t place(const PageGeometry& g, Layout layout, int32_t head_dim, int64_t row, int64_t offset,
              SideLayout& side) {
  const RowSplit split = split_row(info(g.format), head_dim, row);
  const int64_t rows = int64_t{g.block_size} * g.kv_heads;
  side.row_bytes = split.data + split.inline_scales;
  side.data_offset = offset;
  const bool nhd = layout == Layout::kNhd;
  side.token_stride = side.row_bytes * (nhd ? g.kv_heads : 1);
  side.head_stride = side.row_bytes * (nhd ? 1 : g.block_size);
  offset += rows * side.row_bytes;
  if (split.inline_scales > 0) {
    side.scale_offset = side.data_offset + split.data;
    side.scale_token_stride = side.token_stride;
    side.scale_head_stride = side.head_stride;
  }
  if (split.behind_page > 0) {
    side.scale_offset = offset;
    side.scale_row_bytes = split.behind_page;
    // nvfp4_swizzled too: its codec permutes V's scales among rows that stand as these.
    side.scale_token_stride = split.behind_page * (nhd ? g.kv_heads : 1);
    side.scale_head_stride = split.behind_page * (nhd ? 1 : g.block_size);
    offset += rows * split.behind_page;
  }
  return offset;
}

attnrt_cache_side side_view(const SideLayout& side, uint8_t* first_page, int64_t block_stride) {
  attnrt_cache_side view{};
  view.data = first_page + side.data_offset;
  view.block_stride = block_stride;
  view.token_stride = side.token_stride;
  view.head_stride = side.head_stride;
  if (side.scale_offset >= 0) {
    view.scales = first_page + side.scale_offset;
    view.scale_block_stride = block_stride;
    view.scale_token_stride = side.scale_token_stride;
    view.scale_head_stride = side.scale_head_stride;
  }
  return view;
}

// side_bytes: of a page, with its scales.
bool is_packed_side(const attnrt_cache_side& side, const SideLayout& page, int64_t side_bytes,
                    const attnrt_cache_view& view) {
  const bool tokens = view.block_size > 1;
  const bool heads = view.heads > 1;
  if (tokens && side.token_stride != page.token_stride) return false;
  if (heads && side.head_stride != page.head_stride) return false;
  if (view.blocks > 1 && (side.block_stride < side_bytes || side.block_stride % side_bytes != 0)) {
    return false;
  }
  if (page.scale_offset < 0) return true;
  const auto* data = static_cast<const uint8_t*>(side.data);
  if (static_cast<const uint8_t*>(side.scales) - data != page.scale_offset - page.data_offset) {
    return false;
  }
  if (tokens && side.scale_token_stride != page.scale_token_stride) return false;
  if (heads && side.scale_head_stride != page.scale_head_stride) return false;
  return view.blocks <= 1 || side.scale_block_stride == side.block_stride;
}

}  // namespace

Result<PageLayout> page_layout(const PageGeometry& geometry, Layout layout) {
  if (info(geometry.format).latent_only && geometry.kv_heads != 1) {
    return Error{ErrorCode::kInvalid, std::string(name(geometry.format)), "one KV head",
                 std::to_string(geometry.kv_heads) + " heads",
                 "a latent cache keeps one row a token"};
  }
  Result<int64_t> bytes = page_bytes(geometry);
  if (!bytes) return bytes.error();
  Result<int64_t> k_row = row_bytes(geometry.format, geometry.head_dim.qk);
  if (!k_row) return k_row.error();

  PageLayout page{geometry, layout, {}, {}, *bytes};
  const int64_t behind_k = place(geometry, layout, geometry.head_dim.qk, *k_row, 0, page.k);
  if (geometry.cache == CacheKind::kLatent) return page;
  Result<int64_t> v_row = row_bytes(geometry.format, geometry.head_dim.v);
  if (!v_row) return v_row.error();
  place(geometry, layout, geometry.head_dim.v, *v_row, behind_k, page.v);
  return page;
}

attnrt_cache_view cache_view(const PageLayout& layout, void* first_page, int64_t block_stride,
                             int64_t blocks) {
  auto* page = static_cast<uint8_t*>(first_page);
  attnrt_cache_view view{};
  view.k = side_view(layout.k, page, block_stride);
  if (layout.geometry.cache == CacheKind::kSeparate) {
    view.v = side_view(layout.v, page, block_stride);
  }
  view.blocks = blocks;
  view.block_size = layout.geometry.block_size;
  view.heads = layout.geometry.kv_heads;
  view.k_scale = {nullptr, 0, 1.0f};
  view.v_scale = {nullptr, 0, 1.0f};
  return view;
}

bool is_packed(const attnrt_cache_view& view, const PageLayout& layout) {
  const bool latent = layout.geometry.cache == CacheKind::kLatent;
  const int64_t k_bytes = latent ? layout.bytes : layout.v.data_offset;
  return is_packed_side(view.k, layout.k, k_bytes, view) &&
         (latent || is_packed_side(view.v, layout.v, layout.bytes - k_bytes, view));
}

int32_t alignment_of(const attnrt_cache_view& view) {
  uint64_t all = 4096;
  for (const attnrt_cache_side* side : {&view.k, &view.v}) {
    if (side->data == nullptr) continue;
    all |= reinterpret_cast<uintptr_t>(side->data);
    for (const int64_t stride : {side->block_stride, side->token_stride, side->head_stride}) {
      all |= static_cast<uint64_t>(stride);
    }
  }
  return 1 << std::countr_zero(all);
}

}  // namespace attnrt
