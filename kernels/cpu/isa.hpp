// Which kernels this CPU can run, and the choice among them.
//
// Pure but for reading CPUID. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu/table.hpp"

namespace attnrt::cpu {

struct Isa {
  std::string_view name;  // also the value of the option `isa`
  const KernelTable& (*table)();
  std::string_view needs;  // as in manifests: "avx2 fma f16c"
  bool available;          // on this CPU
};

// Best first; the last one, portable, runs everywhere.
const std::vector<Isa>& instruction_sets();

// The best available set for "auto" or "", else the named one. Null where the name is unknown or
// the CPU lacks it: `why` then says which, and what there is.
const Isa* choose_isa(std::string_view name, std::string& why);

}  // namespace attnrt::cpu
