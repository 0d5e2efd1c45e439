// A step's batches, one a cache group, and its rows gathered from a tensor source. Host memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "attnrt/session.hpp"
#include "run/tensor_source.hpp"
#include "run/timeline.hpp"

namespace attnrt::runtime {

// The sequences of a workload in all groups of a session: block tables and the arrays of a batch.
class SequenceCaches {
 public:
  // Blocks are handed out in a shuffled order, so that nothing passes that only works on
  // neighbouring ones. Precondition: the session has a pool of its own; it outlives this.
  SequenceCaches(Session& session, std::span<const SequenceSpec> sequences, uint64_t seed);

  // Room for the slices' tokens and a batch of them. Valid until the next call.
  Result<std::span<const attnrt_batch>> extend(std::span<const Slice> slices);
  // A batch that only attends: each slice is `tokens` queries at past … past + tokens - 1, over
  // keys that are stored already.
  std::span<const attnrt_batch> look_back(std::span<const Slice> slices);
  // Gives back what the window has passed, and sequences that have ended.
  void release_passed(std::span<const Slice> slices);

 private:
  struct Group {
    BlockTables tables;
    std::vector<int32_t> handles;  // by sequence
    std::vector<int32_t> table;
    std::vector<int64_t> slots;
    int64_t stride = 0;
  };
  std::span<const attnrt_batch> make_batches(std::span<const Slice> slices, bool slots);

  Session& session_;
  std::span<const SequenceSpec> sequences_;
  std::vector<Group> groups_;
  std::vector<int32_t> q_start_;
  std::vector<int32_t> kv_len_;
  std::vector<attnrt_batch> batches_;
};

// Blocks of a group that hold all sequences at once.
int64_t blocks_for(std::span<const SequenceSpec> sequences, int32_t block_size);

// One tensor's rows of a step. Keeps its memory between steps.
class RowBuffer {
 public:
  enum class Tensor : uint8_t { kQ, kK, kV };
  // Rows of the slices, one behind the other, in `dtype`. Where they already lie so in the source,
  // they are not copied.
  TensorView gather(const TensorSource& source, Tensor tensor, int32_t layer,
                    const LayerGeometry& geometry, std::span<const Slice> slices, DType dtype);

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace attnrt::runtime
