#include "config/places.hpp"

namespace attnrt {
namespace config {
namespace {

constexpr size_t kMaxItems = 256;  // of a list that is told apart item by item

}  // namespace

void add_places(const Tree& tree, const std::string& path, std::string_view origin,
                Places& places) {
  if (tree.kind == Tree::Kind::kNull) return;
  places[path] = locate(origin, tree.at);
  for (const Tree::Field& field : tree.fields) {
    add_places(field.value, path + "." + field.key, origin, places);
  }
  if (tree.items.size() > kMaxItems) return;
  for (size_t i = 0; i < tree.items.size(); ++i) {
    add_places(tree.items[i], path + "." + std::to_string(i), origin, places);
  }
}

}  // namespace config

std::string place_of(const Places& places, std::string_view path) {
  for (;;) {
    const auto it = places.find(std::string(path));
    if (it != places.end()) return it->second;
    const size_t dot = path.rfind('.');
    if (dot == std::string_view::npos) return "";
    path = path.substr(0, dot);
  }
}

std::string RunConfig::place(std::string_view path) const {
  std::string found = place_of(places, path);
  return found.empty() ? where : found;
}

}  // namespace attnrt
