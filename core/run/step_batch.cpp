#include "run/step_batch.hpp"

#include <algorithm>
#include <random>

#include "run/convert.hpp"

namespace attnrt::runtime {
namespace {

// The order in which a free list hands out blocks is the reverse of that in which they came back.
void shuffle_free_blocks(BlockPool& pool, uint32_t group, int64_t blocks, std::mt19937_64& random) {
  std::vector<int32_t> ids;
  const int64_t count = std::min(blocks, pool.available(group));
  for (int64_t i = 0; i < count; ++i) ids.push_back(*pool.allocate(group));
  for (size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random() % i]);
  for (const int32_t id : ids) pool.release(group, id);
}

}  // namespace

int64_t blocks_for(std::span<const SequenceSpec> sequences, int32_t block_size) {
  int64_t blocks = 0;
  for (const SequenceSpec& s : sequences) {
    blocks += (int64_t{s.length()} + block_size - 1) / block_size;
  }
  return std::max<int64_t>(blocks, 1);
}

SequenceCaches::SequenceCaches(Session& session, std::span<const SequenceSpec> sequences,
                               uint64_t seed)
    : session_(session), sequences_(sequences) {
  std::mt19937_64 random(seed);
  const auto& groups = session.plan().groups;
  for (uint32_t g = 0; g < groups.size(); ++g) {
    shuffle_free_blocks(session.pool(), g, blocks_for(sequences, groups[g].page.block_size),
                        random);
  }
  groups_.reserve(groups.size());
  for (uint32_t g = 0; g < groups.size(); ++g) {
    groups_.push_back({session.make_tables(g), {}, {}, {}, 0});
    for (size_t s = 0; s < sequences.size(); ++s) {
      groups_.back().handles.push_back(groups_.back().tables.add());
    }
  }
}

Result<std::span<const attnrt_batch>> SequenceCaches::extend(std::span<const Slice> slices) {
  for (Group& group : groups_) {
    group.slots.clear();
    std::vector<BlockPair> copies;  // stays empty: nothing is forked
    for (const Slice& slice : slices) {
      const int32_t handle = group.handles[static_cast<size_t>(slice.sequence)];
      Status grown = group.tables.extend(handle, slice.tokens, group.slots, copies);
      if (!grown) return grown.error();
    }
  }
  return make_batches(slices, true);
}

std::span<const attnrt_batch> SequenceCaches::look_back(std::span<const Slice> slices) {
  return make_batches(slices, false);
}

std::span<const attnrt_batch> SequenceCaches::make_batches(std::span<const Slice> slices,
                                                           bool slots) {
  q_start_.assign(1, 0);
  kv_len_.clear();
  attnrt_batch b{};
  b.struct_size = sizeof b;
  b.sequences = static_cast<int32_t>(slices.size());
  for (const Slice& slice : slices) {
    q_start_.push_back(q_start_.back() + slice.tokens);
    kv_len_.push_back(slice.past + slice.tokens);
    b.max_q_len = std::max(b.max_q_len, slice.tokens);
    b.max_kv_len = std::max<int64_t>(b.max_kv_len, kv_len_.back());
  }
  b.tokens = q_start_.back();
  b.q_start = {q_start_.data(), q_start_.data()};
  b.kv_len = {kv_len_.data(), kv_len_.data()};
  batches_.clear();
  std::vector<int32_t> handles;
  for (Group& group : groups_) {
    handles.clear();
    for (const Slice& slice : slices) {
      handles.push_back(group.handles[static_cast<size_t>(slice.sequence)]);
    }
    group.stride = group.tables.table(handles, group.table);
    b.block_table = {group.table.data(), group.table.data()};
    b.block_table_stride = group.stride;
    b.slot_mapping = {};
    if (slots) b.slot_mapping = {group.slots.data(), group.slots.data()};
    batches_.push_back(b);
  }
  return batches_;
}

void SequenceCaches::release_passed(std::span<const Slice> slices) {
  for (Group& group : groups_) {
    for (const Slice& slice : slices) {
      int32_t& handle = group.handles[static_cast<size_t>(slice.sequence)];
      group.tables.release_outside_window(handle);
      const bool ended =
          slice.past + slice.tokens >= sequences_[static_cast<size_t>(slice.sequence)].length();
      if (!ended) continue;
      group.tables.remove(handle);
      handle = group.tables.add();
    }
  }
}

TensorView RowBuffer::gather(const TensorSource& source, Tensor tensor, int32_t layer,
                             const LayerGeometry& g, std::span<const Slice> slices, DType dtype) {
  const int64_t heads = tensor == Tensor::kQ ? g.q_heads : g.kv_heads;
  const int64_t dim = tensor == Tensor::kV ? g.head_dim.v : g.head_dim.qk;
  const auto rows = [&](const Slice& slice) {
    return tensor == Tensor::kQ   ? source.q(layer, slice.sequence, slice.past)
           : tensor == Tensor::kK ? source.k(layer, slice.sequence, slice.past)
                                  : source.v(layer, slice.sequence, slice.past);
  };
  int64_t tokens = 0;
  for (const Slice& slice : slices) tokens += slice.tokens;
  if (slices.size() == 1 && dtype == DType::kF32) {
    return make_tensor(rows(slices[0]), dtype, {tokens, heads, dim});
  }
  const int64_t row_bytes = heads * dim * element_bytes(dtype);
  bytes_.resize(static_cast<size_t>(std::max<int64_t>(tokens * row_bytes, 1)));
  int64_t done = 0;
  for (const Slice& slice : slices) {
    from_f32(rows(slice), slice.tokens * heads * dim, dtype, bytes_.data() + done * row_bytes);
    done += slice.tokens;
  }
  return make_tensor(bytes_.data(), dtype, {tokens, heads, dim});
}

}  // namespace attnrt::runtime
