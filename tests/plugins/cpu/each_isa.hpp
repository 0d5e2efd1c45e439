// Runs a test once for each instruction set that this CPU has.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/cpu/isa.hpp"

namespace attnrt::cpu {

inline std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : instruction_sets()) {
    if (isa.available) names.emplace_back(isa.name);
  }
  return names;
}

class EachIsa : public ::testing::TestWithParam<std::string> {
 protected:
  const KernelTable& kernels() const {
    std::string why;
    const Isa* isa = choose_isa(GetParam(), why);
    if (isa == nullptr) throw std::runtime_error(why);
    return isa->table();
  }
};

inline std::string isa_label(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace attnrt::cpu
