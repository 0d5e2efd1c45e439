#include "schedule.hpp"

#include <algorithm>
#include <cstring>

#include "sharing.hpp"

namespace attnrt::cuda {
namespace {

using plugin::require;

constexpr uint64_t kAlignment = 64;
// Of each multiprocessor's shared memory the system keeps 1 KiB a block.
constexpr int32_t kSystemShared = 1024;
// Kernels count keys and rows in 32 bits, a tile or two beyond the last.
constexpr int32_t kMostIndex = INT32_MAX - 1024;
constexpr int32_t kBlocksPerMultiprocessor = 2;

constexpr uint64_t aligned(uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Offsets within the state of what a captured launch holds addresses of: tickets, which are zeros
// between calls and are never copied to, then what a schedule copies there, from `batch` on.
struct StateLayout {
  StateLayout(const Layer& layer, int32_t blocks) {
    const auto n = static_cast<uint64_t>(blocks);
    const auto shared = static_cast<uint64_t>(most_shared_units(layer));
    batch = aligned((n + shared) * sizeof(uint32_t));
    first_item = batch + aligned(sizeof(BatchView));
    division = first_item + aligned((n + 1) * sizeof(int32_t));
  }

  uint64_t arrived = 0;
  uint64_t batch;
  uint64_t first_item;
  uint64_t division;
};

// Offsets of a batch's division, which launches find through its BatchView.
struct DivisionLayout {
  DivisionLayout(uint64_t begin, const DivisionBounds& n) {
    items = begin;
    units = items + aligned(static_cast<uint64_t>(n.items) * sizeof(WorkItem));
    tokens = units + aligned(static_cast<uint64_t>(n.units) * sizeof(SplitUnit));
    shared_tiles = tokens + aligned(static_cast<uint64_t>(n.tokens) * sizeof(QueryToken));
    end = shared_tiles + aligned(static_cast<uint64_t>(n.shared_tiles) * sizeof(PartRange));
  }

  uint64_t items;
  uint64_t units;
  uint64_t tokens;
  uint64_t shared_tiles;
  uint64_t end;
};

DivisionBounds size_of(const Division& d) {
  const auto size = [](const auto& all) { return static_cast<int64_t>(all.size()); };
  return {size(d.items), size(d.units), d.parts, size(d.tokens), size(d.shared_tiles)};
}

uint64_t scratch_bytes(const Layer& layer, int64_t parts, int32_t rows) {
  return static_cast<uint64_t>(parts * rows * partial_width(layer.dim_v)) * sizeof(float);
}

// Slots that fit into so many bytes; fewer than 2 are no ring.
int32_t fitting_slots(const SharedLayout& layout, int32_t bytes) {
  const int64_t rest = int64_t{bytes} - layout.ring;
  return static_cast<int32_t>(
      std::clamp<int64_t>(rest / static_cast<int64_t>(layout.slot_bytes), 0, kMostSlots));
}

// What is read on the device must be there too, and small enough to be counted there.
std::vector<Lengths> check_batch(const attnrt_batch& b, const Layer& layer) {
  plugin::check_batch(b, layer.features);
  require(b.sequences == 0 || (b.q_start.device != nullptr && b.kv_len.device != nullptr),
          "q_start.device or kv_len.device is null");
  require(
      b.sequences == 0 || !layer.has(ATTNRT_FEATURE_PREFIX_LM) || b.prefix_len.device != nullptr,
      "prefix_len.device is null with feature prefix_lm");
  require(b.sequences == 0 || !layer.has(ATTNRT_FEATURE_TREE_MASK) ||
              (b.tree_mask.device != nullptr && b.tree_offset.device != nullptr),
          "tree_mask.device or tree_offset.device is null with feature tree_mask");
  std::vector<Lengths> all =
      plugin::lengths_of(b, layer.features, layer.block_size, b.block_table.device);
  for (const Lengths& s : all) {
    require(int64_t{s.q} * layer.group < kMostIndex && s.kv < kMostIndex, "a sequence has ", s.q,
            " query tokens and ", s.kv, " keys, expected fewer than ", kMostIndex,
            " keys, and query rows of a KV head");
  }
  return all;
}

}  // namespace

AttendKernel kernel_for(const Layer& layer, bool by_rows) {
  return {layer.format, to_dtype(layer.q_dtype), layer.dim_v,
          by_rows && layer.dim_v <= most_columns_by_rows(layer.format)};
}

LaunchPlan plan_launch(const Layer& layer, const DeviceLimits& limits, int64_t rows) {
  LaunchPlan plan{};
  plan.kernel = kernel_for(layer, rows > kWarpRows);
  const SharedLayout layout =
      shared_layout(layer.format, plan.kernel.half, layer.dim_qk, layer.dim_v, layer.latent ? 1 : 0,
                    plan.tile().rows, plan.tile().keys);
  int32_t blocks = kBlocksPerMultiprocessor;
  plan.slots = fitting_slots(
      layout,
      std::min(limits.shared_per_block, limits.shared_per_multiprocessor / blocks - kSystemShared));
  if (plan.slots < 2) {
    blocks = 1;
    plan.slots = fitting_slots(layout, limits.shared_per_block);
  }
  require(plan.slots >= 2, "two tiles need ", shared_bytes(layout, 2),
          " bytes of shared memory, a block of this device has ", limits.shared_per_block);
  plan.blocks = blocks * limits.multiprocessors;
  plan.shared_bytes = shared_bytes(layout, plan.slots);
  return plan;
}

attnrt_workspace_sizes size_workspace(const Layer& layer, const DeviceLimits& limits,
                                      const attnrt_bounds& bounds) {
  const int32_t blocks = kBlocksPerMultiprocessor * limits.multiprocessors;
  const StateLayout state(layer, blocks);
  // A batch within the bounds may take either kernel: small tiles make most items, and may be
  // shared; large ones make the larger parts.
  const auto bound = [&](bool by_rows, int64_t shared) {
    const AttendKernel kernel = kernel_for(layer, by_rows);
    return bound_division(layer, bounds, {block_rows(kernel), tile_keys(kernel)}, blocks, shared);
  };
  const DivisionBounds most = bound(false, most_shared_units(layer));
  const uint64_t by_rows =
      scratch_bytes(layer, bound(true, 0).parts, block_rows(kernel_for(layer, true)));
  attnrt_workspace_sizes sizes{};
  const uint64_t bytes = DivisionLayout(state.division, most).end;
  sizes.state = {bytes, kAlignment};
  sizes.scratch = {std::max(by_rows, scratch_bytes(layer, most.parts, kWarpRows)), kAlignment};
  sizes.staging = {bytes - state.batch, kAlignment};
  return sizes;
}

BatchSchedule::BatchSchedule(const Machine& machine, const Layer& layer, const attnrt_batch& batch,
                             const attnrt_workspace& workspace, void* stream)
    : machine_(machine), layer_(layer), workspace_(workspace) {
  const int64_t rows = int64_t{std::max(batch.max_q_len, 1)} * layer.group;
  launch_ = plan_launch(layer, machine.limits(), rows);
  machine.use([&] { copied_ = machine.make_fence(); });
  reschedule(batch, stream);
}

void BatchSchedule::reschedule(const attnrt_batch& b, void* stream) {
  const std::vector<Lengths> sequences = check_batch(b, layer_);
  std::vector<SharedPrefix> prefixes;
  if (!launch_.kernel.by_rows) prefixes = find_shared(layer_, sequences, b);
  const Division division = divide(layer_, sequences, launch_.tile(), launch_.blocks, prefixes);
  const StateLayout at(layer_, launch_.blocks);
  const DivisionLayout parts(at.division, size_of(division));
  attnrt_workspace_sizes needed{};
  needed.state.bytes = parts.end;
  needed.scratch.bytes = scratch_bytes(layer_, division.parts, launch_.tile().rows);
  needed.staging.bytes = parts.end - at.batch;
  plugin::check_workspace(workspace_, needed);
  tokens_ = b.tokens;

  machine_.use([&] { copied_->wait(); });  // or the copy under way would take what follows
  auto* staging = static_cast<uint8_t*>(workspace_.staging);
  const auto put = [&](uint64_t offset, const void* from, size_t bytes) {
    if (bytes > 0) std::memcpy(staging + (offset - at.batch), from, bytes);
  };
  const auto put_all = [&](uint64_t offset, const auto& all) {
    put(offset, all.data(), all.size() * sizeof(all[0]));
    return reinterpret_cast<decltype(all.data())>(state() + offset);
  };
  const DivisionView divided{
      put_all(parts.items, division.items), put_all(parts.units, division.units),
      put_all(parts.tokens, division.tokens), put_all(parts.shared_tiles, division.shared_tiles)};
  const BatchView view{divided,
                       b.q_start.device,
                       b.kv_len.device,
                       b.block_table.device,
                       b.block_table_stride,
                       b.prefix_len.device,
                       b.tree_mask.device,
                       b.tree_offset.device};
  put(at.batch, &view, sizeof view);
  put_all(at.first_item, division.first_item);
  machine_.use([&] {
    machine_.copy(state() + at.batch, staging, parts.end - at.batch, stream);
    copied_->record(stream);
  });
}

const BatchView* BatchSchedule::batch() const {
  return reinterpret_cast<const BatchView*>(state() + StateLayout(layer_, launch_.blocks).batch);
}
const int32_t* BatchSchedule::first_item() const {
  return reinterpret_cast<const int32_t*>(state() + StateLayout(layer_, launch_.blocks).first_item);
}
uint32_t* BatchSchedule::arrived() const {
  return reinterpret_cast<uint32_t*>(state() + StateLayout(layer_, launch_.blocks).arrived);
}

}  // namespace attnrt::cuda
