#include "item_queue.hpp"

namespace attnrt::cpu {
namespace {

const void* middle_of(const WorkItem& item, const AttendParams& p) {
  if (item.kv_begin >= item.kv_end) return p.k.data;
  const int64_t row = int64_t{item.rows.sequence} * p.batch.block_table_stride;
  const int32_t key = item.kv_begin + (item.kv_end - item.kv_begin) / 2;
  const int64_t block = p.batch.block_table[row + key / p.layer.block_size];
  return p.k.data + block * p.k.block_stride + item.rows.kv_head * p.k.head_stride;
}

}  // namespace

void find_nodes(const std::vector<WorkItem>& items, const AttendParams& params, Nodes& nodes,
                std::vector<int>& to) {
  to.clear();
  for (const WorkItem& item : items) to.push_back(nodes.of(middle_of(item, params)));
}

ItemQueue::ItemQueue(int nodes)
    : nodes_(nodes), ranges_(std::make_unique<Range[]>(static_cast<size_t>(nodes))) {}

void ItemQueue::fill(size_t items) {
  order_.clear();
  for (int n = 0; n < nodes_; ++n) ranges_[n].end = 0;
  ranges_[0].end = items;
  for (int n = 0; n < nodes_; ++n) ranges_[n].next.store(0, std::memory_order_relaxed);
}

void ItemQueue::fill(const std::vector<int>& node_of_item) {
  order_.clear();
  for (int n = 0; n < nodes_; ++n) {
    ranges_[n].next.store(order_.size(), std::memory_order_relaxed);
    for (size_t i = 0; i < node_of_item.size(); ++i) {
      if (node_of_item[i] == n) order_.push_back(i);
    }
    ranges_[n].end = order_.size();
  }
}

size_t ItemQueue::take(int node) noexcept {
  for (int i = 0; i < nodes_; ++i) {
    Range& range = ranges_[(node + i) % nodes_];
    const size_t place = range.next.fetch_add(1, std::memory_order_relaxed);
    if (place < range.end) return order_.empty() ? place : order_[place];
  }
  return kNone;
}

}  // namespace attnrt::cpu
