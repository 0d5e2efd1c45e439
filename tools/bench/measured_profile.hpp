// A measured profile from the figures of a sweep.
#pragma once

#include "attnrt/profile.hpp"
#include "bench/sweep.hpp"

namespace attnrt::bench {

// Figures of the most threads that were measured. A class compares its kernels over the shapes that
// all of them were measured on; where there is no such shape the class is left out.
Profile measured_profile(const SweepResult& result, const Device& device);

}  // namespace attnrt::bench
