// Which cases of the support table cuDNN is asked about: a table of cells, and what a cell is tried
// with. Without a device.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph.hpp"
#include "support.hpp"

namespace attnrt::cudnn {

// What cuDNN has of one kernel on one SM: every head size with every block size.
struct Box {
  std::vector<int32_t> head_dims;
  std::vector<int32_t> block_sizes;
  bool operator==(const Box&) const = default;
};

// Empty text: yes; else why not.
using Ask = std::function<std::string(const LayerShape&, const BatchShape&, int32_t sm)>;

// A block size or a head size that is refused in one cell is not in the box. A cell is tried with
// two of the combinations of layout, mask, group and batch, by turns; with all of them where the
// head size is 128 or the block size 16.
Box find_box(const KernelSupport& kernel, int32_t sm, const Ask& ask);

}  // namespace attnrt::cudnn
