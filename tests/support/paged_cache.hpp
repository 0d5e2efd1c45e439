// A paged cache of any format in host memory, with padding wherever strides allow it.
//
// Every byte starts as a pattern; foreign_bytes_untouched() tells whether anything but the rows and
// scales of the given slots was written. Owns its memory. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "attnrt/cache.hpp"

namespace attnrt::testing {

struct CacheSpec {
  Format format = Format::kF32;
  CacheKind kind = CacheKind::kSeparate;
  HeadDim head_dim{64, 64};
  int32_t kv_heads = 1;
  int32_t block_size = 16;
  int32_t blocks = 1;
  Layout layout = Layout::kNhd;
  // Gaps behind each row, each head or token group, and each page, in units of the format's
  // alignment (4 bytes where it has f32 scales or elements, 2 for 16-bit elements, else 1).
  int32_t row_gap = 0;
  int32_t group_gap = 0;
  int32_t page_gap = 0;
};

class PagedCache {
 public:
  // Throws std::invalid_argument for a geometry that the format does not have.
  explicit PagedCache(const CacheSpec& spec);

  // Scales are 1 until set; they are per tensor with one value, per head with kv_heads.
  attnrt_cache_view view();
  void set_scales(std::vector<float> k, std::vector<float> v);

  // Writes a pattern over the pages of a block, e.g. to prove that nobody reads them.
  void scribble(int32_t block, uint8_t value);
  bool foreign_bytes_untouched(std::span<const int64_t> slots) const;

  const CacheSpec& spec() const { return spec_; }
  std::vector<uint8_t>& bytes() { return bytes_; }

 private:
  struct Side {
    int64_t data = 0;  // offsets from the page's first byte
    int64_t scales = -1;
    int64_t token_stride = 0, head_stride = 0;
    int64_t scale_token_stride = 0, scale_head_stride = 0;
    int64_t row_bytes = 0, scale_bytes = 0;
    bool scales_in_row = false;
    bool swizzled = false;
  };
  int64_t place(const SideLayout& facts, bool is_v, int64_t offset, Side& side) const;
  int64_t place_rows(int64_t row_bytes, int64_t& token_stride, int64_t& head_stride) const;
  attnrt_cache_side side_view(const Side& side);
  void mark(const Side& side, int64_t slot, std::vector<bool>& used) const;

  CacheSpec spec_;
  int64_t unit_ = 1;
  Side k_, v_;
  int64_t page_stride_ = 0;
  std::vector<float> k_scale_, v_scale_;
  std::vector<uint8_t> bytes_;
};

}  // namespace attnrt::testing
