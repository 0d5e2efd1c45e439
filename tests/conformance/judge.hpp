// Whether an output is as near to the oracle's as docs/accuracy.md demands.
#pragma once

#include <string>

#include "batch.hpp"
#include "cell.hpp"
#include "numbers.hpp"
#include "subject.hpp"

namespace attnrt::conformance {

// What the bound of an element depends on beside the oracle's own value.
struct Context {
  const Cell& cell;
  const BatchData& batch;
  const HostTensor& q;  // as the subject got it
  const HostTensor& k;  // as it was appended, all sequences' keys one after the other
  const HostTensor& v;
  const Parameters& parameters;
  const HostTensor* abs_pv;  // the oracle's out over |v|; null: max |v| stands for it
};

// Elements that may have no bound before a comparison says too little to pass.
inline constexpr double kMostUnbounded = 0.1;  // of a cell's elements

struct Comparison {
  std::string complaint;   // empty: every element that has a bound is within it
  double worst_share = 0;  // error / bound of the worst element
  int64_t elements = 0;    // of out and lse
  int64_t unbounded = 0;   // of them skipped: f32 promises nothing there (docs/accuracy.md)
};

Comparison compare(const AttendResult& found, const AttendResult& expected, const Context& context);

}  // namespace attnrt::conformance
