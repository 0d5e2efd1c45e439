// skip_layers: 3, "0-4", sliding_window, full.
#include <charconv>

#include "attnrt/plan.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace {

std::optional<int32_t> parse_index(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

Result<LayerSelector> parse_layer_selector(std::string_view text) {
  using Kind = LayerSelector::Kind;
  if (text == "sliding_window") return LayerSelector{.kind = Kind::kSlidingWindow};
  if (text == "full") return LayerSelector{.kind = Kind::kFull};
  const size_t dash = text.find('-');
  const std::optional<int32_t> first = parse_index(text.substr(0, dash));
  const std::optional<int32_t> last =
      dash == std::string_view::npos ? first : parse_index(text.substr(dash + 1));
  if (first && last && *first <= *last) return LayerSelector{Kind::kRange, *first, *last};
  constexpr std::string_view kWords[] = {"sliding_window", "full"};
  const bool word = !text.empty() && text[0] >= 'a' && text[0] <= 'z';
  return Error{.code = ErrorCode::kInvalid,
               .where = "skip_layers",
               .expected = "a layer (3), a range (0-4), sliding_window or full",
               .found = in_quotes(text),
               .remedy = word ? "nearest: " + nearest(text, kWords)
                              : "count layers from 0, the smaller number first"};
}

}  // namespace attnrt
