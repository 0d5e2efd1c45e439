// What the shim's own tests share: each runs under every setting, and defaults are back behind it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.hpp"
#include "tests/simt/settings.hpp"

namespace attnrt::simt {

class SimtTest : public testing::TestWithParam<Settings> {
 protected:
  SimtTest() { settings() = GetParam(); }
  ~SimtTest() override { settings() = {}; }
};

inline const char* name(Order order) {
  switch (order) {
    case Order::kForward:
      return "Forward";
    case Order::kReverse:
      return "Reverse";
    case Order::kShuffled:
      return "Shuffled";
  }
  return "";
}

inline std::string setting_name(const testing::TestParamInfo<Settings>& info) {
  const Settings& s = info.param;
  return std::string(s.landing == Landing::kEarly ? "Early" : "Late") + name(s.threads);
}

// What gtest prints.
inline void PrintTo(const Settings& s, std::ostream* out) {
  *out << (s.landing == Landing::kEarly ? "early" : "late") << " landing, " << name(s.threads);
}

inline auto every_setting() {
  std::vector<Settings> all;
  for (const Landing landing : {Landing::kEarly, Landing::kLate}) {
    for (const Order order : {Order::kForward, Order::kReverse, Order::kShuffled}) {
      Settings s;
      s.landing = landing;
      s.threads = s.blocks = order;
      all.push_back(s);
    }
  }
  return testing::ValuesIn(all);
}

// The mistake that a launch tells, "" where there is none.
template <class Params>
std::string run(void (*kernel)(Params), const cuda::Grid& grid, const Params& params) {
  const char* error = cuda::launch(kernel, grid, params);
  return error == nullptr ? "" : error;
}

}  // namespace attnrt::simt
