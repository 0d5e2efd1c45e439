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

struct Comparison {
  std::string complaint;   // empty: every element is within its bound
  double worst_share = 0;  // error / bound of the worst element
};

Comparison compare(const AttendResult& found, const AttendResult& expected, const Context& context);

}  // namespace attnrt::conformance
