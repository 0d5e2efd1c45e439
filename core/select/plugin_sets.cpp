#include "select/plugin_sets.hpp"

#include <algorithm>
#include <map>

namespace attnrt {
namespace {

using Member = PluginSet::Member;

// Every plugin that ties for something, in order of the names.
std::vector<Member> all_members(const std::vector<JointClass>& classes,
                                const std::vector<std::vector<size_t>>& options) {
  std::map<uint32_t, uint32_t> by_rank;
  for (size_t c = 0; c < classes.size(); ++c) {
    for (size_t i : options[c]) {
      for (const auto& kernels : classes[c].options[i].kernels) {
        for (const JointKernel& k : kernels) by_rank[k.name_rank] = k.plugin;
      }
    }
  }
  std::vector<Member> members;
  for (const auto& [rank, plugin] : by_rank) members.push_back({plugin, rank});
  return members;
}

bool serves_all(const PluginSet& set, const std::vector<JointClass>& classes,
                const std::vector<std::vector<size_t>>& options) {
  for (size_t c = 0; c < classes.size(); ++c) {
    const bool served = std::any_of(options[c].begin(), options[c].end(),
                                    [&](size_t i) { return set.serves(classes[c].options[i]); });
    if (!served) return false;
  }
  return true;
}

// The next way to choose indices.size() of n, in lexicographic order; false after the last.
bool next_choice(std::vector<size_t>& indices, size_t n) {
  const size_t k = indices.size();
  for (size_t i = k; i-- > 0;) {
    if (indices[i] == n - k + i) continue;
    ++indices[i];
    for (size_t j = i + 1; j < k; ++j) indices[j] = indices[j - 1] + 1;
    return true;
  }
  return false;
}

// Takes members away while all are still served.
PluginSet shrink(std::vector<Member> members, const std::vector<JointClass>& classes,
                 const std::vector<std::vector<size_t>>& options) {
  for (size_t i = members.size(); i-- > 0;) {
    std::vector<Member> fewer = members;
    fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(i));
    if (serves_all(PluginSet(fewer), classes, options)) members = std::move(fewer);
  }
  return PluginSet(std::move(members));
}

}  // namespace

bool PluginSet::contains(uint32_t plugin) const {
  return std::any_of(members_.begin(), members_.end(),
                     [plugin](const Member& m) { return m.plugin == plugin; });
}

bool PluginSet::serves(const JointOption& option) const {
  return std::all_of(option.kernels.begin(), option.kernels.end(), [this](const auto& kernels) {
    return std::any_of(kernels.begin(), kernels.end(),
                       [this](const JointKernel& k) { return contains(k.plugin); });
  });
}

std::vector<uint32_t> PluginSet::plugins() const {
  std::vector<uint32_t> all;
  for (const Member& m : members_) all.push_back(m.plugin);
  return all;
}

std::vector<uint32_t> PluginSet::name_ranks() const {
  std::vector<uint32_t> all;
  for (const Member& m : members_) all.push_back(m.name_rank);
  return all;
}

std::vector<PluginSet> smallest_plugin_sets(const std::vector<JointClass>& classes,
                                            const std::vector<std::vector<size_t>>& options) {
  const std::vector<Member> members = all_members(classes, options);
  size_t tried = 0;
  for (size_t size = 1; size <= members.size(); ++size) {
    std::vector<PluginSet> found;
    std::vector<size_t> indices(size);
    for (size_t i = 0; i < size; ++i) indices[i] = i;
    do {
      if (++tried > kMaxPluginSets) return {shrink(members, classes, options)};
      std::vector<Member> chosen;
      for (size_t i : indices) chosen.push_back(members[i]);
      PluginSet set(std::move(chosen));
      if (serves_all(set, classes, options)) found.push_back(std::move(set));
    } while (next_choice(indices, members.size()));
    if (!found.empty()) return found;
  }
  return {};
}

}  // namespace attnrt
