// Rows of one side of a paged cache: stored from floats, read as doubles.
#pragma once

#include <array>
#include <attnrt/plugin/views.hpp>

#include "formats.hpp"
#include "kernels/codec/nvfp4_swizzled.h"

namespace attnrt::reference {

inline constexpr int32_t kMaxHeadDim = 1024;

// Which row: a token of a block, and a head.
struct RowAt {
  int64_t block;
  int32_t token;
  int32_t head;
};

class CacheRows {
 public:
  // `is_v`: the side is V, whose scales some formats permute.
  CacheRows(const RowFormat& format, const attnrt_cache_side& side, int32_t values, bool is_v)
      : format_(format),
        side_(side),
        values_(values),
        swizzled_(is_v && format.v_scales == ScalePlacement::kSwizzled) {
    plugin::require(side.data != nullptr, "cache.", is_v ? "v" : "k", ".data is null");
    plugin::require(side.scales != nullptr || format.scale_bytes(values) == 0, "cache.",
                    is_v ? "v" : "k", ".scales is null, ", std::string(format.name),
                    " keeps scales of its own");
  }

  // Returns how many NaN could not be stored.
  int32_t write(RowAt at, const float* x) const {
    if (!swizzled_) return format_.encode(x, values_, row(at), scales(at));
    std::array<uint8_t, kMaxHeadDim / codec::kNvfp4Block> own{};
    const int32_t lost = format_.encode(x, values_, row(at), own.data());
    codec::Nvfp4Swizzled::scatter_scales(own.data(), values_, at.token, first_scales(at),
                                         side_.scale_token_stride);
    return lost;
  }

  void read(RowAt at, double* out) const {
    if (!swizzled_) {
      format_.decode(row(at), scales(at), values_, out);
      return;
    }
    std::array<uint8_t, kMaxHeadDim / codec::kNvfp4Block> own{};
    codec::Nvfp4Swizzled::gather_scales(first_scales(at), side_.scale_token_stride, values_,
                                        at.token, own.data());
    format_.decode(row(at), own.data(), values_, out);
  }

 private:
  uint8_t* row(RowAt at) const {
    return reinterpret_cast<uint8_t*>(plugin::cache_row(side_, at.block, at.token, at.head));
  }
  uint8_t* scales(RowAt at) const {
    if (side_.scales == nullptr) return nullptr;
    return reinterpret_cast<uint8_t*>(plugin::cache_scales(side_, at.block, at.token, at.head));
  }
  uint8_t* first_scales(RowAt at) const { return scales({at.block, 0, at.head}); }

  const RowFormat& format_;
  const attnrt_cache_side& side_;
  int32_t values_;
  bool swizzled_;
};

}  // namespace attnrt::reference
