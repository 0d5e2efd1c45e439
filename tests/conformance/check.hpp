// Running one cell on a subject and judging it by the oracle.
#pragma once

#include <map>
#include <string>

#include "attnrt/load.hpp"
#include "subject.hpp"

namespace attnrt::conformance {

struct Verdict {
  enum class Kind { kPassed, kSkipped, kFailed } kind = Kind::kPassed;
  std::string reason = {};  // why it was skipped, or what is wrong
  double worst_share = 0;   // of the error bound that the worst element used
  int64_t elements = 0;     // compared, and
  int64_t unbounded = 0;    // of them skipped, since f32 promises nothing for them
};

// The oracle: chooses its kernel for a cell by selection, as for anybody.
class Oracle {
 public:
  // manifest: of the same plugin as the table.
  Oracle(const attnrt_plugin* table, Manifest manifest, const Device& device);
  // The cell as the oracle runs it: its kernel, f64 out where it has that. False: not listed by it.
  bool adopt(Cell& cell) const;
  Subject& subject() { return subject_; }

 private:
  Device device_;
  Catalog catalog_;
  Subject subject_;
};

Verdict check_attend(const Cell& cell, Subject& subject, Oracle& oracle);
Verdict check_append(const Cell& cell, Subject& subject, Oracle& oracle);
Verdict check_merge(const Cell& cell, Subject& subject);
// Of a call that the kernel does not list (unlisted_rows): it is refused as such, in words.
Verdict check_refusal(const Cell& cell, Subject& subject);

}  // namespace attnrt::conformance
