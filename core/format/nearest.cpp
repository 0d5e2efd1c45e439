#include "format/nearest.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "attnrt/format.hpp"

namespace attnrt {
namespace {

constexpr size_t kMaxShown = 64;  // of a found text; also bounds the edit distance's cost

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string join(std::span<const std::string_view> names) {
  std::string text;
  for (std::string_view n : names) {
    if (!text.empty()) text += ", ";
    text += n;
  }
  return text;
}

std::string in_quotes(std::string_view text) {
  size_t end = std::min(text.size(), kMaxShown);
  if (end < text.size()) {  // never within a character
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) --end;
  }
  return "'" + printable(text.substr(0, end)) + (end < text.size() ? "…'" : "'");
}

std::string nearest(std::string_view text, std::span<const std::string_view> known) {
  text = text.substr(0, kMaxShown);
  std::vector<std::pair<size_t, std::string_view>> ranked;
  for (std::string_view n : known) ranked.emplace_back(edit_distance(text, n), n);
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const size_t close = std::max<size_t>(2, text.size() / 3);
  std::string names;
  for (size_t i = 0; i < ranked.size() && i < 3; ++i) {
    if (i > 0 && ranked[i].first > close) break;
    if (i > 0) names += " or ";
    names += in_quotes(ranked[i].second);
  }
  return names;
}

Error unknown_name(std::string_view what, std::string_view text,
                   std::span<const std::string_view> known) {
  const std::string near = nearest(text, known);
  return Error{.code = ErrorCode::kInvalid,
               .expected = std::string(what) + " (" + join(known) + ")",
               .found = in_quotes(text),
               .remedy = near.empty() ? "" : "nearest: " + near};
}

}  // namespace attnrt
