// The pages of a cell: bytes in the host's memory, with the view that finds the rows in them. A
// cell's paddings are between blocks, tokens, heads and sides; what no row covers is poison and
// must stay so.
#pragma once

#include <cstdint>
#include <vector>

#include "attnrt/cache.hpp"
#include "cell.hpp"

namespace attnrt::conformance {

inline constexpr uint8_t kPoison = 0xff;  // NaN in every floating-point format

class Pages {
 public:
  Pages(const Cell& cell, int64_t blocks);

  std::vector<uint8_t> bytes;
  // The view over `base`, a copy of `bytes` anywhere.
  attnrt_cache_view view(uint8_t* base) const;

 private:
  attnrt_cache_view offsets_{};  // pointers are offsets from the base
  bool latent_ = false;
  int64_t k_data_ = 0, k_scales_ = -1, v_data_ = 0, v_scales_ = -1;
};

}  // namespace attnrt::conformance
