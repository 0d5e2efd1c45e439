// The smallest sets of plugins that can serve every class of layers.
#pragma once

#include <cstdint>
#include <vector>

#include "select/joint.hpp"

namespace attnrt {

class PluginSet {
 public:
  struct Member {
    uint32_t plugin;
    uint32_t name_rank;
  };
  // Members in order of their names.
  explicit PluginSet(std::vector<Member> members) : members_(std::move(members)) {}

  size_t size() const { return members_.size(); }
  bool contains(uint32_t plugin) const;
  // True if each op of the option has a kernel of a member.
  bool serves(const JointOption& option) const;
  std::vector<uint32_t> plugins() const;
  std::vector<uint32_t> name_ranks() const;

 private:
  std::vector<Member> members_;
};

// All sets of the smallest size that serve every class with one of the given options.
std::vector<PluginSet> smallest_plugin_sets(const std::vector<JointClass>& classes,
                                            const std::vector<std::vector<size_t>>& options);

}  // namespace attnrt
