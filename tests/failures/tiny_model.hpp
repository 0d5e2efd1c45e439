// A model of a few layers, planned, opened and run through prefill and decode, and compared with
// plain attention over the same numbers.
//
// All keys, values and queries are numbers that the formats under test store exactly, so nothing of
// a format's rounding is left, and any difference beyond f32 arithmetic means that a cache was
// written in one format and read in another.
#pragma once

#include <string>
#include <vector>

#include "attnrt/plan.hpp"
#include "attnrt/session.hpp"

namespace attnrt::failures {

// Numbers that a format stores exactly, scales of 1 or a power of two included.
enum class Grid : uint8_t {
  kSmall,  // -2 … 2 by halves: every floating format of 8 bits or more
  kInt8,   // multiples of 1/64 with a row's largest at 127/64: int8 a token and head
  kE2m1,   // 0 … 6 of e2m1, every block of 16 holding a 6: nvfp4
  kFine,   // 24 bits: f32 only
};
// The grid of a format, where this file knows one that it stores exactly.
bool grid_of(Format format, Grid& grid);

struct TinyModel {
  ModelGeometry geometry;
  std::vector<Grid> grids;  // one a layer
};
// Layers of 4 query and 2 KV heads; window 0: full attention.
TinyModel tiny_model(DType dtype, HeadDim head_dim, const std::vector<int32_t>& windows, Grid grid);

// Queries and outputs are f32, whatever the model's dtype. Only `plugin` may serve.
PlanOptions options_for(const std::string& plugin, const std::string& kv);
Result<PlanOutcome> plan_tiny(const TinyModel& model, const PlanOptions& options);

// Prefills 37 tokens and decodes 3; the largest difference of any layer's output from plain double
// arithmetic. Errors are those of the session.
Result<double> worst_difference(const TinyModel& model, Plan plan);

// What f32 arithmetic over 40 keys of these grids may differ by; values are at most 6.
inline constexpr double kF32Noise = 2e-5;

}  // namespace attnrt::failures
