// What a measured profile says about the kernels of a catalog, for one request.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "attnrt/profile.hpp"
#include "select/compiled.hpp"

namespace attnrt {

inline constexpr uint32_t kUnmeasured = std::numeric_limits<uint32_t>::max();

struct MeasuredRow {
  int32_t score = 0;  // the manifest's; among measured rows handed out anew by their times
  uint32_t rank = kUnmeasured;  // among measured rows: 0 is the fastest
  double ms = 0;
};

// A row each of the catalog; empty where the profile is of another device or does not know the
// request's class. Scores are exchanged among measured rows only: where a row stands against one
// that was not measured stays what manifests say, and so do sums of scores over a model.
std::vector<MeasuredRow> measured_rows(const Profile& profile, const Request& request,
                                       const Catalog::Compiled& compiled);

}  // namespace attnrt
