// The YAML of a benchmark: a sweep of shapes, formats, backends and threads.
#include "attnrt/bench.hpp"
#include "config/bench_shape.hpp"
#include "config/files.hpp"
#include "config/places.hpp"
#include "config/sections.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace config {
namespace {

constexpr int32_t kMaxIterations = 1 << 24;
constexpr int32_t kMaxThreads = 4096;
constexpr int32_t kMaxKvMib = 1 << 22;
constexpr double kMaxSeconds = 3600;

class BenchReader {
 public:
  BenchReader(const Tree& root, const std::string& origin, const ConfigContext& context)
      : root_(root), scope_(origin), around_{folder_of(origin), context} {}

  Result<BenchConfig> read() {
    if (root_.kind != Tree::Kind::kMapping) {
      scope_.fail(root_.at.line > 0 ? root_.at : Position{1, 1}, "a configuration (key: value)",
                  describe(root_));
      return *scope_.error();
    }
    Reader reader(root_, scope_, "a benchmark's file");
    config_.where = locate(scope_.origin(), root_.at);
    read_device(reader);
    RunConfig run;  // the plugins' section is that of a run
    run.device = config_.device;
    read_plugins(reader.get("plugins"), scope_, around_, run);
    config_.plugins = std::move(run.plugins);
    if (const Tree* bench = reader.need("bench", "what to measure (bench: {shapes: …})")) {
      read_bench(*bench);
    }
    read_report_files(reader.get("report"));
    reader.finish();
    if (scope_.failed()) return *scope_.error();
    for (const Tree::Field& field : root_.fields) {
      add_places(field.value, field.key, scope_.origin(), config_.places);
    }
    return std::move(config_);
  }

 private:
  void read_device(Reader& reader) {
    const Tree* value = reader.get("device");
    const auto written = reader.text("device", "a device");
    const std::string text = around_.context.device.value_or(written.value_or("cpu"));
    Result<Device> device = parse_device(text, around_.context.host);
    if (device.ok()) {
      config_.device = *std::move(device);
    } else {
      scope_.fail(value == nullptr ? reader.at() : value->at, std::move(device).error());
    }
  }

  void read_bench(const Tree& tree) {
    Reader reader(tree, scope_, "bench");
    read_shapes(reader);
    read_formats(reader);
    config_.backends = reader.words("backends", "plugins' names").value_or(config_.backends);
    read_threads(reader);
    read_layout(reader);
    BenchEffort& effort = config_.effort;
    effort.iterations = reader.integer("iterations", 1, kMaxIterations).value_or(0);
    effort.min_iterations =
        reader.integer("min_iterations", 1, kMaxIterations).value_or(effort.min_iterations);
    effort.min_seconds = reader.number("min_seconds", 0, kMaxSeconds).value_or(effort.min_seconds);
    effort.kv_mib = reader.integer("kv_mib", 1, kMaxKvMib).value_or(0);
    config_.seed = static_cast<uint64_t>(reader.integer("seed", 0, INT32_MAX).value_or(1));
    config_.profile_out = reader.text("profile_out", "a file to write").value_or("");
    reader.finish();
  }

  // A CSV file's name, or a list of shapes written out.
  void read_shapes(Reader& reader) {
    const Tree* value = reader.need("shapes", "a CSV file, or a list of shapes");
    if (value == nullptr) return;
    if (value->kind == Tree::Kind::kSequence) {
      for (const Tree& item : value->items) {
        add_shape(shape_of(item), item.at, scope_, config_.shapes);
        if (scope_.failed()) return;
      }
      if (value->items.empty()) scope_.fail(value->at, "at least one shape", "an empty list");
      return;
    }
    const auto file = as_text(*value, scope_, "a CSV file, or a list of shapes");
    if (!file) return;
    Result<std::string> path = resolve_path(*file, around_.folder);
    if (!path.ok()) {
      scope_.fail(value->at, std::move(path).error());
      return;
    }
    Result<std::vector<BenchShape>> shapes = load_shapes(*path);
    if (shapes.ok()) {
      config_.shapes = *std::move(shapes);
    } else {
      scope_.fail_elsewhere(std::move(shapes).error());
    }
  }

  BenchShape shape_of(const Tree& tree) {
    Reader reader(tree, scope_, "a shape");
    reader.allow(all_shape_columns(), {});
    std::vector<ShapeField> fields;
    for (const std::string_view column : shape_columns()) {
      const Tree* value = reader.need(column, "a shape with " + std::string(column));
      if (value != nullptr) fields.push_back({std::string(column), text_of(*value), value->at});
    }
    for (const std::string_view column : optional_shape_columns()) {
      const Tree* value = reader.get(column);
      if (value != nullptr) fields.push_back({std::string(column), text_of(*value), value->at});
    }
    reader.finish();
    return scope_.failed() ? BenchShape{} : read_shape(fields, tree.at, scope_);
  }

  // head_dim: [576, 512] is 576/512 in a CSV file.
  std::string text_of(const Tree& value) {
    if (value.kind != Tree::Kind::kSequence || value.items.size() != 2) {
      return as_text(value, scope_, "a single value").value_or("");
    }
    return value.items[0].text + "/" + value.items[1].text;
  }

  void read_formats(Reader& reader) {
    const Tree* value = reader.get("formats");
    const auto words = reader.words("formats", "KV formats");
    for (const std::string& word : words.value_or(std::vector<std::string>{"bf16"})) {
      Result<Spelling> spelling = parse_spelling(word);
      if (spelling.ok()) {
        config_.formats.push_back(*std::move(spelling));
      } else {
        scope_.fail(value->at, std::move(spelling).error());
      }
    }
    if (config_.formats.empty()) scope_.fail(reader.at(), "at least one format", "an empty list");
  }

  void read_threads(Reader& reader) {
    const Tree* value = reader.get("threads");
    if (value == nullptr) {
      config_.threads = {0};
      return;
    }
    const std::vector<Tree> one{*value};
    const bool list = value->kind == Tree::Kind::kSequence;
    for (const Tree& item : list ? value->items : one) {
      const auto n = as_integer(item, scope_, 1, kMaxThreads);
      if (n) config_.threads.push_back(static_cast<int32_t>(*n));
    }
    if (config_.threads.empty()) scope_.fail(value->at, "a number of threads", describe(*value));
  }

  void read_layout(Reader& reader) {
    const Tree* value = reader.get("layout");
    if (value == nullptr || value->text == "auto") return;
    Result<Layout> layout = parse_layout(value->text);
    if (layout.ok()) {
      config_.layout = *layout;
    } else {
      scope_.fail(value->at, std::move(layout).error());
    }
  }

  void read_report_files(const Tree* section) {
    const Tree none;
    Reader reader(section == nullptr ? none : *section, scope_, "report");
    config_.json = reader.text("json", "a file to write").value_or("");
    config_.html = reader.text("html", "a file to write").value_or("");
    config_.png = reader.text("png", "a file to write").value_or("");
    reader.finish();
  }

  const Tree& root_;
  Scope scope_;
  Surroundings around_;
  BenchConfig config_;
};

}  // namespace
}  // namespace config

Result<BenchConfig> parse_bench(std::string_view yaml, const std::string& origin,
                                const ConfigContext& context) {
  Result<config::Tree> tree = config::parse_tree(yaml, origin);
  if (!tree.ok()) return std::move(tree).error();
  return config::BenchReader(*tree, origin, context).read();
}

Result<BenchConfig> load_bench(const std::string& path, const ConfigContext& context) {
  Result<std::string> text = config::read_file(path, "a configuration", config::kMaxConfigBytes);
  if (!text.ok()) return std::move(text).error();
  return parse_bench(*text, path, context);
}

}  // namespace attnrt
