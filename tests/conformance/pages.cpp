#include "pages.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace attnrt::conformance {
namespace {

struct Padding {
  int64_t head, token, block, side;  // bytes, odd multiples of what rows may count on
};

Padding padding_of(const Cell& c) {
  const int64_t unit = c.pages == PageShape::kPadded ? c.alignment : 0;
  return {unit, 3 * unit, 9 * unit, 5 * unit};
}

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Kernels that ask for more than the ABI gets it everywhere.
int64_t unit_of(const Cell& c) {
  return c.alignment > 4 ? c.alignment : 1;
}

// Widens the strides of one area (rows of data, or of scales behind them) and returns its end.
struct Area {
  int64_t token_stride;
  int64_t head_stride;
  int64_t bytes;
};
Area spread(int64_t row_bytes, const Cell& c, const Padding& pad) {
  Area area{};
  const int64_t row = round_up(row_bytes, unit_of(c)) + pad.head;
  if (c.layout == Layout::kNhd) {
    area.head_stride = row;
    area.token_stride = row * c.kv_heads + pad.token;
    area.bytes = area.token_stride * c.block_size;
  } else {
    area.token_stride = row;
    area.head_stride = row * c.block_size + pad.token;
    area.bytes = area.head_stride * c.kv_heads;
  }
  return area;
}

}  // namespace

Pages::Pages(const Cell& c, int64_t blocks) {
  auto layout = page_layout({c.kv, c.cache, c.head_dim, c.kv_heads, c.block_size}, c.layout);
  if (!layout.ok()) throw std::runtime_error(to_string(layout.error()));
  offsets_ = cache_view(*layout, nullptr, layout->bytes, blocks);
  offsets_.blocks = blocks;

  // Tiles of scales and the format's own pages keep their inner strides; only blocks are spread.
  const bool rows_movable = c.pages == PageShape::kPadded && !info(c.kv).latent_only &&
                            c.kv != Format::kNvfp4Swizzled && c.kv != Format::kNvfp4FourOverSix;
  const Padding pad = padding_of(c);
  latent_ = c.cache == CacheKind::kLatent;
  int64_t end = layout->bytes;
  auto place = [&](const SideLayout& from, attnrt_cache_side& side, int64_t& data, int64_t& scales,
                   int64_t at) {
    if (!rows_movable) {
      data = from.data_offset;
      scales = from.scale_offset;
      return at;
    }
    const Area rows = spread(from.row_bytes, c, pad);
    data = at;
    side.token_stride = rows.token_stride;
    side.head_stride = rows.head_stride;
    at += rows.bytes + pad.side;
    if (from.scale_offset < 0) return at;
    if (from.scale_row_bytes == 0) {  // in the row
      scales = data + (from.scale_offset - from.data_offset);
      side.scale_token_stride = side.token_stride;
      side.scale_head_stride = side.head_stride;
      return at;
    }
    const Area behind = spread(from.scale_row_bytes, c, pad);
    scales = at;
    side.scale_token_stride = behind.token_stride;
    side.scale_head_stride = behind.head_stride;
    return at + behind.bytes + pad.side;
  };
  int64_t at = place(layout->k, offsets_.k, k_data_, k_scales_, 0);
  if (!latent_) at = place(layout->v, offsets_.v, v_data_, v_scales_, at);
  if (rows_movable) end = at;

  const int64_t v_bytes = latent_ ? layout->bytes : layout->bytes - layout->v.data_offset;
  const int64_t whole =
      c.whole_blocks ? std::lcm(latent_ ? v_bytes : layout->v.data_offset, v_bytes) : 1;
  const int64_t block_stride = round_up(end + pad.block, std::lcm(whole, unit_of(c)));
  for (attnrt_cache_side* side : {&offsets_.k, &offsets_.v}) {
    side->block_stride = block_stride;
    side->scale_block_stride = block_stride;
  }
  int64_t total = block_stride * blocks;
  if (c.pages == PageShape::kTwoTensors && !latent_) {
    // V's pages behind all of K's; each keeps the stride of a whole page, as an engine's planes do.
    v_data_ += total;
    if (v_scales_ >= 0) v_scales_ += total;
    total *= 2;
  }
  bytes.assign(static_cast<size_t>(total), kPoison);
}

attnrt_cache_view Pages::view(uint8_t* base) const {
  attnrt_cache_view v = offsets_;
  v.k.data = base + k_data_;
  v.k.scales = k_scales_ < 0 ? nullptr : base + k_scales_;
  if (!latent_) {
    v.v.data = base + v_data_;
    v.v.scales = v_scales_ < 0 ? nullptr : base + v_scales_;
  }
  return v;
}

}  // namespace attnrt::conformance
