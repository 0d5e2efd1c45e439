#include "config/sections.hpp"

namespace attnrt::config {
namespace {

constexpr int32_t kMaxBlockSize = 65536;

std::optional<Spelling> spelling(const Tree& tree, Scope& scope) {
  const auto text = as_text(tree, scope, "a KV format");
  if (!text) return std::nullopt;
  Result<Spelling> parsed = parse_spelling(*text);
  if (parsed.ok()) return *parsed;
  scope.fail(tree.at, std::move(parsed).error());
  return std::nullopt;
}

void read_formats(Reader& reader, std::vector<Spelling>& formats) {
  const Tree* value = reader.get("format");
  if (value == nullptr) {
    formats.emplace_back();
    return;
  }
  if (value->kind != Tree::Kind::kSequence) {
    if (auto one = spelling(*value, reader.scope())) formats.push_back(*one);
    return;
  }
  if (value->items.empty()) reader.scope().fail(value->at, "at least one format", "an empty list");
  for (const Tree& item : value->items) {
    auto one = spelling(item, reader.scope());
    if (!one) return;
    for (const Spelling& other : formats) {
      if (other.text == one->text) {
        reader.scope().fail(item.at, "each format once", "'" + one->text + "' again");
      }
    }
    formats.push_back(*one);
  }
}

// `last_layer` below 0: not known yet.
void read_skip_layers(Reader& reader, KvCacheOptions& options, int32_t layers) {
  const Tree* value = reader.get("skip_layers");
  if (value == nullptr) return;
  const std::string expected = "a list of layers: 3, \"0-4\", sliding_window, full";
  if (value->kind != Tree::Kind::kSequence) {
    reader.scope().fail(value->at, expected, describe(*value));
    return;
  }
  for (const Tree& item : value->items) {
    const auto text = as_text(item, reader.scope(), expected);
    if (!text) return;
    Result<LayerSelector> selector = parse_layer_selector(*text);
    if (!selector.ok()) {
      reader.scope().fail(item.at, std::move(selector).error());
      return;
    }
    if (selector->kind == LayerSelector::Kind::kRange && selector->last >= layers) {
      reader.scope().fail(item.at, "layers from 0 to " + std::to_string(layers - 1),
                          describe(item));
    }
    options.skip_layers.push_back(*selector);
  }
}

}  // namespace

void read_kv_cache(const Tree* section, Scope& scope, RunConfig& run,
                   std::vector<Spelling>& formats) {
  const Tree none;
  Reader reader(section == nullptr ? none : *section, scope, "kv_cache");
  read_formats(reader, formats);
  read_skip_layers(reader, run.kv_cache, static_cast<int32_t>(run.model.layers.size()));
  if (const Tree* value = reader.get("skip_format")) {
    if (run.kv_cache.skip_layers.empty()) {
      scope.fail(value->at, "skip_layers beside skip_format", "no skip_layers");
    }
    if (auto one = spelling(*value, scope)) run.kv_cache.skip_format = *one;
  }
  if (const Tree* value = reader.get("block_size"); value && value->text != "auto") {
    run.kv_cache.block_size = reader.integer("block_size", 1, kMaxBlockSize);
  }
  if (const Tree* value = reader.get("layout"); value && value->text != "auto") {
    Result<Layout> layout = parse_layout(value->text);
    if (layout.ok()) run.kv_cache.layout = *layout;
    if (!layout.ok()) scope.fail(value->at, std::move(layout).error());
  }
  if (const Tree* value = reader.get("blocks"); value && value->text != "auto") {
    run.blocks = reader.integer("blocks", 1, 1 << 30).value_or(0);
  }
  reader.finish();
}

}  // namespace attnrt::config
