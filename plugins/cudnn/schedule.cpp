#include "schedule.hpp"

#include <algorithm>
#include <cstring>

namespace attnrt::cudnn {
namespace {

using plugin::require;

constexpr uint64_t kArraysAt = kArrayAlignment;
static_assert(sizeof(cuda::BlockTable) <= kArraysAt);

std::vector<plugin::Lengths> lengths(const Layer& layer, const attnrt_batch& b) {
  plugin::check_batch(b, layer.features);
  return plugin::lengths_of(b, layer.features, layer.shape.block_size, b.block_table.device);
}

BatchShape shape_of(const Layer& layer, const std::vector<plugin::Lengths>& all) {
  int32_t q = 0;
  int32_t kv = 0;
  for (const plugin::Lengths& s : all) {
    q = std::max(q, s.q);
    kv = std::max(kv, s.kv);
  }
  return shape_for(layer, static_cast<int64_t>(all.size()), q, kv);
}

}  // namespace

uint64_t state_bytes(int32_t sequences) {
  return kArraysAt + Arrays(sequences).bytes;
}

BatchSchedule::BatchSchedule(const cuda::Machine& machine, const Layer& layer, Plans& plans,
                             const attnrt_batch& batch, const attnrt_workspace& workspace,
                             void* stream)
    : machine_(machine),
      layer_(layer),
      known_(plans.for_batch(shape_of(layer, lengths(layer, batch)), workspace.scratch_bytes)),
      workspace_(workspace),
      arrays_(known_.shape.sequences) {
  const uint64_t bytes = state_bytes(known_.shape.sequences);
  plugin::check_area("state", workspace.state, workspace.state_bytes, bytes);
  plugin::check_area("staging", workspace.staging, workspace.staging_bytes, bytes);
  machine.use([&] { copied_ = machine.make_fence(); });
  reschedule(batch, stream);
}

void BatchSchedule::reschedule(const attnrt_batch& b, void* stream) {
  const std::vector<plugin::Lengths> all = lengths(layer_, b);
  const BatchShape shape = shape_of(layer_, all);
  require(holds(known_.shape, shape), "the batch has up to ", shape.sequences, " sequences of ",
          shape.q_len, " query tokens and ", shape.width, " pages, this schedule's plan holds ",
          known_.shape.sequences, ", ", known_.shape.q_len, " and ", known_.shape.width);
  tokens_ = b.tokens;
  machine_.use([&] { copied_->wait(); });  // or the copy under way would take what follows
  auto* staging = static_cast<uint8_t*>(workspace_.staging);
  const cuda::BlockTable table{b.block_table.device, b.block_table_stride};
  std::memcpy(staging, &table, sizeof table);
  translate(layer_, all, known_.shape, staging + kArraysAt);
  machine_.use([&] {
    machine_.copy(workspace_.state, staging, kArraysAt + arrays_.bytes, stream);
    copied_->record(stream);
  });
}

const cuda::BlockTable* BatchSchedule::table() const {
  return static_cast<const cuda::BlockTable*>(workspace_.state);
}

int32_t* BatchSchedule::array(uint64_t Arrays::*which) const {
  return reinterpret_cast<int32_t*>(static_cast<uint8_t*>(workspace_.state) + kArraysAt +
                                    arrays_.*which);
}

}  // namespace attnrt::cudnn
