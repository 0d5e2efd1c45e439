#include "schedule.hpp"

#include <algorithm>
#include <cstring>

#include "areas.hpp"

namespace attnrt::flashinfer {
namespace {

using plugin::require;

constexpr int64_t kMostRows = 128;  // of FlashInfer's tiles
constexpr int64_t kLeastRows = 16;
constexpr int64_t kBlocksPerMultiprocessor = 2;  // PrefillPlan's

// Blocks that PrefillPlan makes where it divides as finely as it may.
int64_t fewest_blocks(const Layer& layer, int32_t multiprocessors) {
  return kBlocksPerMultiprocessor * multiprocessors / layer.kv_heads;
}

// What PrefillPlan puts into its ints: three indices and a mark a block, two lists of lengths.
uint64_t plan_bytes(const Layer& layer, int32_t multiprocessors, const Capacity& c) {
  const int64_t tiles =
      (int64_t{c.tokens} * layer.group + kLeastRows - 1) / kLeastRows + c.requests;
  const int64_t blocks = std::max(fewest_blocks(layer, multiprocessors), tiles);
  return 3 * ints(blocks) + aligned(static_cast<uint64_t>(blocks)) + ints(int64_t{c.requests} + 1) +
         ints(int64_t{c.tokens} + 1) + 2 * kAreaAlignment;
}

// Parts of divided contexts: of all rows of all tiles, as PrefillPlan counts them.
uint64_t part_bytes(const Layer& layer, int32_t multiprocessors, const Capacity& c) {
  const int64_t rows = std::max(fewest_blocks(layer, multiprocessors) * kMostRows,
                                int64_t{c.tokens} * layer.group + c.requests * kMostRows);
  const int64_t tokens = rows / layer.group + 1;
  return aligned(static_cast<uint64_t>(tokens * layer.q_heads() * (layer.kernel.head_dim + 1)) *
                 sizeof(float)) +
         kAreaAlignment;
}

// Offsets within the state: FlashInfer's ints, then ours. Staging has the same.
struct StateLayout {
  StateLayout(const Layer& layer, int32_t multiprocessors, const Capacity& c)
      : requests(aligned(plan_bytes(layer, multiprocessors, c))) {
    page_begin = requests + ints(int64_t{c.requests} + 1);
    last_page_len = page_begin + ints(int64_t{c.requests} + 1);
    indices = last_page_len + ints(c.requests);
    bytes = indices + ints(c.pages);
  }

  uint64_t requests;  // their q_begin
  uint64_t page_begin;
  uint64_t last_page_len;
  uint64_t indices;
  uint64_t bytes;
};

}  // namespace

attnrt_workspace_sizes size_workspace(const Layer& layer, int32_t multiprocessors,
                                      const Capacity& c) {
  const StateLayout state(layer, multiprocessors, c);
  attnrt_workspace_sizes sizes{};
  sizes.state = {state.bytes, kAreaAlignment};
  // Whole rows in FlashInfer's strides, where nothing is divided, are less than parts.
  sizes.scratch = {part_bytes(layer, multiprocessors, c), kAreaAlignment};
  sizes.staging = {state.bytes, kAreaAlignment};
  return sizes;
}

BatchSchedule::BatchSchedule(const Machine& machine, const Layer& layer, const Capacity& most,
                             const attnrt_batch& batch, const attnrt_workspace& workspace,
                             void* stream)
    : machine_(machine), layer_(layer), most_(most), workspace_(workspace) {
  machine.use([&] { copied_ = machine.make_fence(); });
  reschedule(batch, stream);
}

void BatchSchedule::reschedule(const attnrt_batch& b, void* stream) {
  plugin::check_batch(b, 0);
  Requests r = make_requests(layer_, b);
  const Capacity own = capacity_of(r);
  if (layer_.graph) {
    require(most_.holds(own), "the batch has ", own.requests, " requests, ", own.tokens,
            " tokens and ", own.pages, " pages, the bounds allow ", most_.requests, ", ",
            most_.tokens, " and ", most_.pages);
    r.pad(most_.requests);
  }
  capacity_ = layer_.graph ? most_ : own;
  tokens_ = b.tokens;
  plan_ = {};
  if (capacity_.tokens == 0) return;
  plugin::check_workspace(workspace_,
                          size_workspace(layer_, machine_.limits().multiprocessors, capacity_));

  const StateLayout at(layer_, machine_.limits().multiprocessors, capacity_);
  auto* staging = static_cast<uint8_t*>(workspace_.staging);
  auto* state = static_cast<uint8_t*>(workspace_.state);
  const PlanInput input{r.q_begin.data(),
                        r.page_begin.data(),
                        r.count(),
                        capacity_.tokens,
                        layer_.q_heads(),
                        layer_.kv_heads,
                        layer_.kernel.head_dim,
                        layer_.block_size,
                        layer_.window,
                        bytes_of(layer_.kernel.stored),
                        layer_.graph};
  const PlanMemory memory{state, staging, at.requests, workspace_.scratch,
                          workspace_.scratch_bytes};
  const auto put = [&](uint64_t offset, const std::vector<int32_t>& from) {
    if (!from.empty()) std::memcpy(staging + offset, from.data(), from.size() * sizeof(int32_t));
  };
  machine_.use([&] {
    copied_->wait();  // or the copies under way would take what follows
    const char* error = plan_attend(input, memory, stream, plan_);
    if (error != nullptr) plugin::fail(ATTNRT_DEVICE_ERROR, "FlashInfer's PrefillPlan: ", error);
    put(at.requests, r.q_begin);
    put(at.page_begin, r.page_begin);
    put(at.last_page_len, r.last_page_len);
    put(at.indices, r.indices);
    machine_.copy(state + at.requests, staging + at.requests,
                  at.indices - at.requests + r.indices.size() * sizeof(int32_t), stream);
    copied_->record(stream);
  });
}

RequestView BatchSchedule::requests() const {
  const StateLayout at(layer_, machine_.limits().multiprocessors, capacity_);
  const auto ints_at = [&](uint64_t offset) {
    return reinterpret_cast<int32_t*>(static_cast<uint8_t*>(workspace_.state) + offset);
  };
  return {ints_at(at.requests), ints_at(at.page_begin), ints_at(at.last_page_len),
          ints_at(at.indices), capacity_.requests};
}

}  // namespace attnrt::flashinfer
