// Memory nodes (NUMA) of this machine: where a thread runs, and where a page lives.
//
// Of use where there are several: elsewhere no question is asked of the system. Answers are only
// hints, since threads and pages move. Used by one thread at a time, but for here().
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace attnrt::cpu {

class Nodes {
 public:
  // What the system answers; tests answer instead.
  struct System {
    int (*nodes)();                 // at least 1
    int (*of_thread)();             // the calling one's
    int (*of_page)(const void* p);  // -1: not known
  };
  explicit Nodes(const System& system = this_system());

  [[nodiscard]] int count() const { return count_; }
  // The calling thread's, in [0, count()).
  [[nodiscard]] int here() const { return valid(system_.of_thread()); }
  // That of the memory at p, in [0, count()), 0 where it is not known. Asked once for each 2 MiB,
  // the huge page that a cache should stand on, until forget().
  [[nodiscard]] int of(const void* p);
  void forget() { known_.clear(); }

  static System this_system();

 private:
  [[nodiscard]] int valid(int node) const { return node >= 0 && node < count_ ? node : 0; }

  System system_;
  int count_;
  std::unordered_map<uintptr_t, int> known_;
};

// The nodes that a list of Linux names ("0-1,3") makes necessary: its largest number and 1; 1 for
// what is no list.
int count_of_list(std::string_view list);

}  // namespace attnrt::cpu
