#include "manifest/sets.hpp"

#include <algorithm>

namespace attnrt {
namespace {

std::string to_string(const IntRange& r) {
  const std::string bounds = std::to_string(r.min) + " to " + std::to_string(r.max);
  if (r.multiple_of == 1) return bounds;
  return "multiples of " + std::to_string(r.multiple_of) + " from " + bounds;
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& p : parts) text += (text.empty() ? "" : ", ") + p;
  return text;
}

bool any_contains(const std::vector<IntRange>& ranges, int32_t v) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [v](const IntRange& r) { return r.contains(v); });
}

}  // namespace

bool IntSet::contains(int32_t v) const {
  return std::find(values.begin(), values.end(), v) != values.end() || any_contains(ranges, v);
}

bool HeadDimSet::contains(HeadDim d) const {
  return std::find(pairs.begin(), pairs.end(), d) != pairs.end() ||
         (d.qk == d.v && any_contains(ranges, d.qk));
}

std::string to_string(HeadDim d) {
  if (d.qk == d.v) return std::to_string(d.qk);
  return std::to_string(d.qk) + "," + std::to_string(d.v);
}

std::vector<std::string> to_strings(const IntSet& set) {
  std::vector<std::string> parts;
  for (int32_t v : set.values) parts.push_back(std::to_string(v));
  for (const IntRange& r : set.ranges) parts.push_back(to_string(r));
  return parts;
}

std::vector<std::string> to_strings(const HeadDimSet& set) {
  std::vector<std::string> parts;
  for (HeadDim d : set.pairs) parts.push_back(to_string(d));
  for (const IntRange& r : set.ranges) parts.push_back(to_string(r));
  return parts;
}

std::string to_string(const IntSet& set) {
  return join(to_strings(set));
}
std::string to_string(const HeadDimSet& set) {
  return join(to_strings(set));
}

}  // namespace attnrt
