// The plans of one op, made on demand and kept. Making one may compile a kernel.
#pragma once

#include <memory>
#include <vector>

#include "graph.hpp"
#include "kernels/cuda/machine.hpp"
#include "translation.hpp"

namespace attnrt::cudnn {

struct KnownPlan {
  BatchShape shape;
  std::unique_ptr<Plan> plan;
};

class Plans {
 public:
  Plans(const cuda::Machine& machine, Library& library, const Layer& layer)
      : machine_(machine), library_(library), layer_(layer) {}

  // The plan for bounds, kept as such: one that schedules may fall back upon.
  const KnownPlan& for_bounds(const BatchShape& bounds);
  // A plan for a batch that needs no more scratch than there is: its own, or that of bounds. With
  // the feature graph that of bounds, since batches to come must run by it too.
  const KnownPlan& for_batch(const BatchShape& batch, uint64_t scratch_bytes);

  // Scratch of a call: page tables, what becomes of an lse that nobody wants, cuDNN's workspace.
  struct Scratch {
    uint64_t v_table, stats, workspace;  // offsets; k_table's is 0
    uint64_t bytes;
  };
  [[nodiscard]] Scratch scratch_of(const KnownPlan& plan) const;

 private:
  const KnownPlan& make(const BatchShape& shape);

  const cuda::Machine& machine_;
  Library& library_;
  const Layer& layer_;
  std::vector<std::unique_ptr<KnownPlan>> plans_;
  std::vector<const KnownPlan*> bounds_;
};

}  // namespace attnrt::cudnn
