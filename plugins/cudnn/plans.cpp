#include "plans.hpp"

#include <attnrt/plugin.hpp>

namespace attnrt::cudnn {
namespace {

constexpr uint64_t kScratchAlignment = 256;

uint64_t aligned(uint64_t bytes) {
  return (bytes + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
}

}  // namespace

const KnownPlan& Plans::make(const BatchShape& shape) {
  for (const auto& known : plans_) {
    if (known->shape == shape) return *known;
  }
  auto known = std::make_unique<KnownPlan>();
  known->shape = shape;
  machine_.use([&] { known->plan = library_.make_plan(layer_.shape, shape); });
  return *plans_.emplace_back(std::move(known));
}

const KnownPlan& Plans::for_bounds(const BatchShape& bounds) {
  const KnownPlan& known = make(bounds);
  for (const KnownPlan* b : bounds_) {
    if (b == &known) return known;
  }
  bounds_.push_back(&known);
  return known;
}

const KnownPlan& Plans::for_batch(const BatchShape& batch, uint64_t scratch_bytes) {
  if (!layer_.has(ATTNRT_FEATURE_GRAPH)) {
    const KnownPlan& own = make(batch);
    if (scratch_of(own).bytes <= scratch_bytes) return own;
  }
  // The last that were asked about are those that memory was taken for.
  for (size_t i = bounds_.size(); i-- > 0;) {
    const KnownPlan& known = *bounds_[i];
    if (holds(known.shape, batch) && scratch_of(known).bytes <= scratch_bytes) return known;
  }
  plugin::fail(ATTNRT_INVALID_ARGUMENT, "scratch has ", scratch_bytes,
               " bytes, which is less than any plan for this batch needs: ask for a workspace with "
               "bounds that hold the batch");
}

Plans::Scratch Plans::scratch_of(const KnownPlan& known) const {
  const BatchShape& s = known.shape;
  const uint64_t rows = static_cast<uint64_t>(s.sequences) * static_cast<uint64_t>(s.q_len);
  const uint64_t table =
      aligned(static_cast<uint64_t>(s.sequences) * static_cast<uint64_t>(s.width) * 4);
  Scratch scratch{};
  scratch.v_table = table;
  scratch.stats = 2 * table;
  scratch.workspace =
      scratch.stats +
      (layer_.shape.lse ? aligned(rows * static_cast<uint64_t>(layer_.shape.q_heads) * 4) : 0);
  scratch.bytes = scratch.workspace + known.plan->workspace_bytes();
  return scratch;
}

}  // namespace attnrt::cudnn
