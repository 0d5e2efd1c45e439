// Where the rows and scales of a page stand. Facts about formats come from core/format's table.
#include <limits>
#include <string>

#include "attnrt/cache.hpp"

namespace attnrt {
namespace {

// How a row of one (token, head) divides.
struct RowSplit {
  int64_t data = 0;           // bytes before the scales
  int64_t inline_scales = 0;  // bytes of the row from the scales to its end
  int64_t behind_page = 0;    // bytes of the row's share of the scales behind the page's rows
};

// The fixed rows of latent formats, as their engines write them: in line, the scales begin behind
// the quantised part, and unquantised RoPE values may follow them.
RowSplit split_latent(Format format, int64_t row) {
  switch (format) {
    case Format::kFp8DsMlaV32:
      return {512, row - 512, 0};
    case Format::kFp8DsMlaV4:
      return {576, 0, row - 576};
    case Format::kFp8DsMlaV41:
      return {512, 0, row - 512};
    default:  // nvfp4_ds_mla
      return {320, row - 320, 0};
  }
}

RowSplit split_row(const FormatInfo& f, int32_t head_dim, int64_t row) {
  if (f.latent_only) return split_latent(f.format, row);
  const int64_t data = int64_t{head_dim} * f.bits / 8;
  switch (f.scales) {
    case ScaleKind::kInlineRow:
      return {data, row - data, 0};
    case ScaleKind::kBehindPage:
      return {data, 0, row - data};
    default:
      return {row, 0, 0};
  }
}

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

}  // namespace attnrt
