#include "select/measured_rows.hpp"

#include <algorithm>
#include <functional>

namespace attnrt {
namespace {

const ProfiledKernel* find(const ProfileEntry& entry, const KernelRow& row,
                           const Catalog::Compiled& compiled) {
  const Manifest& manifest = compiled.entries[row.plugin].manifest;
  const std::string& kernel = manifest.kernels[row.kernel].name;
  for (const ProfiledKernel& k : entry.kernels) {
    if (k.kernel == kernel && k.plugin == manifest.name && k.version == manifest.version) return &k;
  }
  return nullptr;
}

}  // namespace

std::vector<MeasuredRow> measured_rows(const Profile& profile, const Request& request,
                                       const Catalog::Compiled& compiled) {
  if (!measured_on(profile, request.device)) return {};
  const std::optional<ShapeClass> shape = shape_class(request);
  const ProfileEntry* entry = shape ? profile.find(*shape) : nullptr;
  if (entry == nullptr) return {};
  std::vector<MeasuredRow> rows(compiled.rows.size());
  std::vector<size_t> measured;
  std::vector<int32_t> scores;
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].score = compiled.rows[i].score;
    const ProfiledKernel* kernel = find(*entry, compiled.rows[i], compiled);
    if (kernel == nullptr) continue;
    rows[i].ms = kernel->ms;
    measured.push_back(i);
    scores.push_back(rows[i].score);
  }
  std::sort(scores.begin(), scores.end(), std::greater<>());
  std::stable_sort(measured.begin(), measured.end(),
                   [&](size_t a, size_t b) { return rows[a].ms < rows[b].ms; });
  for (size_t rank = 0; rank < measured.size(); ++rank) {
    rows[measured[rank]].score = scores[rank];
    rows[measured[rank]].rank = static_cast<uint32_t>(rank);
  }
  return rows;
}

}  // namespace attnrt
