// What the ops of an instance share. Outlives them.
#pragma once

#include <memory>

#include "kernels/cpu/isa.hpp"
#include "nodes.hpp"
#include "team.hpp"

namespace attnrt::cpu {

struct Context {
  const Isa* isa;
  const KernelTable* kernels;
  Team team;
  Nodes nodes;
};

}  // namespace attnrt::cpu
