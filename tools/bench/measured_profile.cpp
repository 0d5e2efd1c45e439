#include "bench/measured_profile.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

namespace attnrt::bench {
namespace {

// Kernels are compared where they were asked the same.
std::string asked_of(const Figure& f) {
  return f.shape.name + "\n" + std::to_string(f.plan.block_size) + "\n" +
         std::to_string(static_cast<int>(f.plan.layout));
}

using KernelName = std::tuple<std::string, std::string, std::string>;  // plugin, version, kernel
using Times = std::map<KernelName, std::map<std::string, double>>;     // kernel -> asked -> ms

std::set<std::string> common_shapes(const Times& times) {
  std::set<std::string> common;
  for (const auto& [asked, ms] : times.begin()->second) common.insert(asked);
  for (const auto& [kernel, of_kernel] : times) {
    std::erase_if(common, [&](const std::string& asked) { return !of_kernel.contains(asked); });
  }
  return common;
}

ProfileEntry entry_of(const ShapeClass& shape, const Times& times,
                      const std::set<std::string>& common) {
  ProfileEntry entry{shape, static_cast<int32_t>(common.size()), {}};
  for (const auto& [kernel, of_kernel] : times) {
    double logs = 0;
    for (const std::string& asked : common) logs += std::log(of_kernel.at(asked));
    const auto& [plugin, version, name] = kernel;
    entry.kernels.push_back(
        {plugin, version, name, std::exp(logs / static_cast<double>(common.size()))});
  }
  std::stable_sort(entry.kernels.begin(), entry.kernels.end(),
                   [](const ProfiledKernel& a, const ProfiledKernel& b) { return a.ms < b.ms; });
  return entry;
}

}  // namespace

Profile measured_profile(const SweepResult& result, const Device& device) {
  Profile profile;
  profile.device = device;
  profile.machine = result.machine;
  for (const Figure& f : result.figures) profile.threads = std::max(profile.threads, f.threads);
  std::vector<std::pair<ShapeClass, Times>> classes;
  for (const Figure& f : result.figures) {
    if (f.threads != profile.threads) continue;
    const ShapeClass shape = *shape_class(f.plan.request);
    const auto same = [&](const auto& c) { return c.first == shape; };
    auto at = std::find_if(classes.begin(), classes.end(), same);
    if (at == classes.end()) at = classes.insert(at, {shape, {}});
    at->second[{f.plan.plugin, f.plan.version, f.plan.kernel}][asked_of(f)] = f.timing.median_ms;
  }
  for (const auto& [shape, times] : classes) {
    const std::set<std::string> common = common_shapes(times);
    if (!common.empty()) profile.entries.push_back(entry_of(shape, times, common));
  }
  return profile;
}

}  // namespace attnrt::bench
