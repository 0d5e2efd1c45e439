#include "tests/support/paged_cache.hpp"

#include <cmath>
#include <stdexcept>

#include "kernels/codec/nvfp4_swizzled.h"

namespace attnrt::testing {
namespace {

constexpr uint8_t kPattern = 0xA5;

int64_t alignment_of(Format format) {
  switch (format) {
    case Format::kF16:
    case Format::kBf16:
    case Format::kFp8DsMlaV4:
      return 2;
    case Format::kF32:
    case Format::kInt8PerTokenHead:
    case Format::kFp8PerTokenHead:
    case Format::kInt4PerTokenHead:
    case Format::kInt4PerTokenHeadZp:
    case Format::kFp8DsMlaV32:
      return 4;
    default:
      return 1;
  }
}

int64_t round_up(int64_t bytes, int64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

attnrt_scale scale_view(const std::vector<float>& values) {
  if (values.empty()) return {nullptr, 0, 1.0F};
  return {values.data(), static_cast<int32_t>(values.size()),
          values.size() == 1 ? values[0] : std::nanf("")};
}

}  // namespace

PagedCache::PagedCache(const CacheSpec& spec) : spec_(spec), unit_(alignment_of(spec.format)) {
  const PageGeometry geometry{spec.format, spec.kind, spec.head_dim, spec.kv_heads,
                              spec.block_size};
  const Result<PageLayout> layout = page_layout(geometry, spec.layout);
  if (!layout) throw std::invalid_argument(to_string(layout.error()));
  int64_t page = place(layout->k, false, 0, k_);
  if (spec.kind == CacheKind::kSeparate) page = place(layout->v, true, page, v_);
  page_stride_ = round_up(page, unit_) + spec.page_gap * unit_;
  bytes_.assign(static_cast<size_t>(page_stride_ * spec.blocks), kPattern);
}

int64_t PagedCache::place_rows(int64_t row_bytes, int64_t& token_stride,
                               int64_t& head_stride) const {
  const int64_t row = round_up(row_bytes, unit_) + spec_.row_gap * unit_;
  const bool nhd = spec_.layout == Layout::kNhd;
  int64_t& inner = nhd ? head_stride : token_stride;
  int64_t& outer = nhd ? token_stride : head_stride;
  inner = row;
  outer = row * (nhd ? spec_.kv_heads : spec_.block_size) + spec_.group_gap * unit_;
  return outer * (nhd ? spec_.block_size : spec_.kv_heads);
}

int64_t PagedCache::place(const SideLayout& facts, bool is_v, int64_t offset, Side& side) const {
  side.row_bytes = facts.row_bytes;
  side.data = round_up(offset, unit_);
  offset = side.data + place_rows(facts.row_bytes, side.token_stride, side.head_stride);
  if (facts.scale_offset < 0) return offset;
  if (facts.scale_row_bytes == 0) {
    side.scales_in_row = true;
    side.scales = side.data + facts.scale_offset - facts.data_offset;
    side.scale_token_stride = side.token_stride;
    side.scale_head_stride = side.head_stride;
    return offset;
  }
  side.swizzled =
      is_v && (spec_.format == Format::kNvfp4Swizzled || spec_.format == Format::kNvfp4FourOverSix);
  side.scale_bytes = facts.scale_row_bytes;
  side.scales = offset;
  return offset +
         place_rows(facts.scale_row_bytes, side.scale_token_stride, side.scale_head_stride);
}

attnrt_cache_side PagedCache::side_view(const Side& side) {
  attnrt_cache_side view{};
  view.data = bytes_.data() + side.data;
  view.block_stride = page_stride_;
  view.token_stride = side.token_stride;
  view.head_stride = side.head_stride;
  if (side.scales >= 0) {
    view.scales = bytes_.data() + side.scales;
    view.scale_block_stride = page_stride_;
    view.scale_token_stride = side.scale_token_stride;
    view.scale_head_stride = side.scale_head_stride;
  }
  return view;
}

attnrt_cache_view PagedCache::view() {
  attnrt_cache_view view{};
  view.k = side_view(k_);
  if (spec_.kind == CacheKind::kSeparate) view.v = side_view(v_);
  view.blocks = spec_.blocks;
  view.block_size = spec_.block_size;
  view.heads = spec_.kv_heads;
  view.k_scale = scale_view(k_scale_);
  view.v_scale = scale_view(v_scale_);
  return view;
}

void PagedCache::set_scales(std::vector<float> k, std::vector<float> v) {
  k_scale_ = std::move(k);
  v_scale_ = std::move(v);
}

void PagedCache::scribble(int32_t block, uint8_t value) {
  const auto first = bytes_.begin() + block * page_stride_;
  std::fill(first, first + page_stride_, value);
}

void PagedCache::mark(const Side& side, int64_t slot, std::vector<bool>& used) const {
  const int64_t page = slot / spec_.block_size * page_stride_;
  const auto token = static_cast<int32_t>(slot % spec_.block_size);
  const auto mark_run = [&](int64_t from, int64_t bytes) {
    for (int64_t i = from; i < from + bytes; ++i) used[static_cast<size_t>(i)] = true;
  };
  for (int32_t head = 0; head < spec_.kv_heads; ++head) {
    mark_run(page + side.data + token * side.token_stride + head * side.head_stride,
             side.row_bytes);
    const int64_t first = page + side.scales + head * side.scale_head_stride;
    const auto scales = static_cast<int32_t>(side.scale_bytes);
    for (int32_t s = 0; s < scales; ++s) {
      const codec::ScalePlace at =
          side.swizzled ? codec::nvfp4_swizzle(token, s, scales) : codec::ScalePlace{token, s};
      mark_run(first + at.token * side.scale_token_stride + at.byte, 1);
    }
  }
}

bool PagedCache::foreign_bytes_untouched(std::span<const int64_t> slots) const {
  std::vector<bool> used(bytes_.size(), false);
  for (const int64_t slot : slots) {
    if (slot < 0) continue;
    mark(k_, slot, used);
    if (spec_.kind == CacheKind::kSeparate) mark(v_, slot, used);
  }
  for (size_t i = 0; i < bytes_.size(); ++i) {
    if (!used[i] && bytes_[i] != kPattern) return false;
  }
  return true;
}

}  // namespace attnrt::testing
