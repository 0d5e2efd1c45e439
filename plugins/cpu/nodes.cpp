#include "nodes.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

namespace attnrt::cpu {
namespace {

constexpr int kRegionBits = 21;  // 2 MiB

int nodes_of_system() {
  std::ifstream file("/sys/devices/system/node/online");
  std::string list;
  std::getline(file, list);
  return count_of_list(list);
}

int node_of_thread() {
  unsigned cpu = 0;
  unsigned node = 0;
  return getcpu(&cpu, &node) == 0 ? static_cast<int>(node) : -1;
}

// linux/mempolicy.h: the node of the page at an address. libnuma would be a dependency for one
// call.
int node_of_page(const void* p) {
  constexpr unsigned long kNodeOfAddress = 1 | 2;  // MPOL_F_NODE | MPOL_F_ADDR
  int node = -1;
  const long failed = syscall(SYS_get_mempolicy, &node, nullptr, 0UL, p, kNodeOfAddress);
  return failed == 0 ? node : -1;
}

}  // namespace

int count_of_list(std::string_view list) {
  const size_t last = list.find_last_of(",-");
  const std::string_view number = last == std::string_view::npos ? list : list.substr(last + 1);
  int largest = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), largest);
  return error == std::errc() ? largest + 1 : 1;
}

Nodes::System Nodes::this_system() {
  return {nodes_of_system, node_of_thread, node_of_page};
}

Nodes::Nodes(const System& system) : system_(system), count_(std::max(1, system.nodes())) {}

int Nodes::of(const void* p) {
  const uintptr_t region = reinterpret_cast<uintptr_t>(p) >> kRegionBits;
  const auto found = known_.find(region);
  if (found != known_.end()) return found->second;
  const int node = system_.of_page(p);
  if (node >= 0) known_.emplace(region, valid(node));  // a page that nobody touched yet has none
  return valid(node);
}

}  // namespace attnrt::cpu
