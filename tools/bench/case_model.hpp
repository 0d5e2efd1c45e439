// The model that stands for a case: equal layers of the shape's geometry.
#pragma once

#include "attnrt/run.hpp"
#include "bench/case.hpp"
#include "bench/work.hpp"

namespace attnrt::bench {

Result<Plan> plan_layers(const CaseOptions& options, int32_t layers, const Catalog& catalog);
CasePlan case_plan(const CaseOptions& options, const Plan& plan, const Catalog& catalog);

}  // namespace attnrt::bench
