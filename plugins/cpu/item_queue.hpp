// The order in which threads take a batch's items: each first those whose pages live on its own
// memory node, then what is left on others, so that nobody waits while there is work.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/cpu/params.hpp"
#include "nodes.hpp"

namespace attnrt::cpu {

// to[i]: the node of item i. K's block in the middle of its keys stands for all its pages.
void find_nodes(const std::vector<WorkItem>& items, const AttendParams& params, Nodes& nodes,
                std::vector<int>& to);

class ItemQueue {
 public:
  explicit ItemQueue(int nodes);

  // Items 0 … items - 1 of one node, in this order.
  void fill(size_t items);
  // Items by their node, each in [0, nodes), those of a node in this order.
  void fill(const std::vector<int>& node_of_item);

  // The next item for a thread on `node`; kNone: all are taken. By any number of threads at once.
  [[nodiscard]] size_t take(int node) noexcept;
  static constexpr size_t kNone = SIZE_MAX;

 private:
  // Of a node: places [next, end) of order_, or, with one node, items themselves.
  struct alignas(64) Range {
    std::atomic<size_t> next{0};
    size_t end = 0;
  };

  int nodes_;
  std::unique_ptr<Range[]> ranges_;
  std::vector<size_t> order_;
};

}  // namespace attnrt::cpu
