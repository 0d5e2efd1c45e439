// The report of a run from what was measured.
#pragma once

#include <vector>

#include "attnrt/run.hpp"
#include "run/executor.hpp"
#include "run/measure.hpp"

namespace attnrt::runtime {

struct ReportInputs {
  const RunConfig& config;
  const Catalog& catalog;
  Session& session;
  const TensorSource& source;
  const std::vector<int32_t>& layers;  // that were run
  const ExecutionResult& result;
  const std::vector<ErrorSum>& oracle;  // a group
};
RunReport make_report(const ReportInputs& inputs);

// The relative error that rounding explains, of outputs against an oracle that reads the same cache
// in double precision: the rounding of the output itself, plus that of the arithmetic before it.
// f32 queries: scores and sums are f32, where a relative error of the weights of e^(d * 2^-24 *
// |s|)
// - 1 stays below 1e-4 for head sizes d to 512 and scores s to 3. 16-bit queries: a backend may
// also round its weights to them, by at most half a unit in the last place.
double rounding_limit(DType q, DType out);

}  // namespace attnrt::runtime
