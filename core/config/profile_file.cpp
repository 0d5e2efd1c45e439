// Measured profiles as files: JSON, read like every other configuration, so with a place in every
// error.
#include <nlohmann/json.hpp>

#include "attnrt/profile.hpp"
#include "config/files.hpp"
#include "config/geometry_yaml.hpp"
#include "format/nearest.hpp"
#include "format/utf8.hpp"

namespace attnrt {
namespace config {
namespace {

constexpr int64_t kMaxProfileBytes = int64_t{16} << 20;
constexpr int32_t kVersion = 1;
constexpr int32_t kMaxCount = 1 << 28;
constexpr double kMaxMs = 1e12;

class ProfileReader {
 public:
  ProfileReader(const Tree& root, const std::string& origin) : root_(root), scope_(origin) {
    profile_.origin = origin;
  }

  Result<Profile> read() {
    if (root_.kind != Tree::Kind::kMapping) {
      scope_.fail(root_.at.line > 0 ? root_.at : Position{1, 1},
                  "a measured profile, as attnrt bench --profile-out writes it", describe(root_));
      return *scope_.error();
    }
    Reader reader(root_, scope_, "a profile");
    read_version(reader);
    read_device(reader);
    profile_.machine = reader.text("machine", "the machine's name").value_or("");
    profile_.threads = reader.integer("threads", 1, kMaxCount).value_or(0);
    read_entries(reader);
    reader.finish();
    if (scope_.failed()) return *scope_.error();
    return std::move(profile_);
  }

 private:
  void read_version(Reader& reader) {
    const Tree* value = reader.need("attnrt_profile", "the version of a measured profile");
    if (value == nullptr || value->text == std::to_string(kVersion)) return;
    scope_.fail(value->at, "attnrt_profile: " + std::to_string(kVersion), describe(*value),
                "measure again with this version's attnrt bench --profile-out");
  }

  // Parses a word with one of the library's parsers, which know no places.
  template <class T, class Parse>
  void read_word(Reader& reader, std::string_view key, Parse&& parse, T& to) {
    const Tree* value = reader.need(key, "a shape class with " + std::string(key));
    if (value == nullptr) return;
    Result<T> parsed = parse(value->text);
    if (parsed.ok()) {
      to = *std::move(parsed);
    } else {
      scope_.fail(value->at, std::move(parsed).error());
    }
  }
  int32_t read_count(Reader& reader, std::string_view key, int32_t min) {
    reader.need(key, "a shape class with " + std::string(key));
    return reader.integer(key, min, kMaxCount).value_or(min);
  }

  void read_device(Reader& reader) {
    const Tree* value = reader.need("device", "the device that was measured");
    if (value == nullptr) return;
    // Nothing of this machine: a profile names the features or the architecture itself.
    Result<Device> device = parse_device(value->text, HostFacts{});
    if (!device.ok()) {
      scope_.fail(value->at, std::move(device).error());
      return;
    }
    if (value->text == "cpu") {
      scope_.fail(value->at, "the CPU's features, as in cpu:avx2+fma", "'cpu'");
    }
    profile_.device = *std::move(device);
  }

  void read_entries(Reader& reader) {
    const Tree* list = reader.need("measured", "a list of shape classes");
    if (list == nullptr) return;
    if (list->kind != Tree::Kind::kSequence) {
      scope_.fail(list->at, "a list of shape classes", describe(*list));
      return;
    }
    for (const Tree& item : list->items) {
      ProfileEntry entry = read_entry(item);
      if (profile_.find(entry.shape) != nullptr) {
        scope_.fail(item.at, "each shape class once", "one that stands above already");
      }
      if (scope_.failed()) return;
      profile_.entries.push_back(std::move(entry));
    }
  }

  ProfileEntry read_entry(const Tree& tree) {
    Reader reader(tree, scope_, "a shape class");
    ProfileEntry entry;
    ShapeClass& shape = entry.shape;
    read_word(reader, "op", parse_op, shape.op);
    if (shape.op != Op::kDecode && shape.op != Op::kPrefill) {
      scope_.fail(tree.at, "op: decode or prefill", in_quotes(name(shape.op)));
    }
    shape.query_tokens = read_count(reader, "query_tokens", 0);
    read_word(reader, "q", parse_dtype, shape.q);
    read_word(reader, "kv", parse_format, shape.kv);
    read_word(reader, "cache", parse_cache_kind, shape.cache);
    reader.need("head_dim", "a shape class with head_dim");
    shape.head_dim = read_head_dim(reader).value_or(HeadDim{});
    shape.group = read_count(reader, "group", 1);
    entry.shapes = read_count(reader, "shapes", 1);
    read_kernels(reader, entry);
    reader.finish();
    return entry;
  }

  void read_kernels(Reader& reader, ProfileEntry& entry) {
    const Tree* list = reader.need("kernels", "a list of kernels");
    if (list == nullptr) return;
    if (list->kind != Tree::Kind::kSequence || list->items.empty()) {
      scope_.fail(list->at, "a list of kernels", describe(*list));
      return;
    }
    for (const Tree& item : list->items) {
      Reader kernel(item, scope_, "a measured kernel");
      for (const char* key : {"plugin", "version", "kernel", "ms"}) {
        kernel.need(key, "a measured kernel with " + std::string(key));
      }
      ProfiledKernel k;
      k.plugin = kernel.text("plugin", "a plugin's name").value_or("");
      k.version = kernel.text("version", "a plugin's version").value_or("");
      k.kernel = kernel.text("kernel", "a kernel's name").value_or("");
      k.ms = kernel.number("ms", 0, kMaxMs).value_or(0);
      kernel.finish();
      if (!(k.ms > 0)) scope_.fail(item.at, "milliseconds above 0", std::to_string(k.ms));
      refuse_second(entry, k, item.at);
      entry.kernels.push_back(std::move(k));
    }
  }

  void refuse_second(const ProfileEntry& entry, const ProfiledKernel& kernel, Position at) {
    for (const ProfiledKernel& k : entry.kernels) {
      if (k.plugin != kernel.plugin || k.kernel != kernel.kernel || k.version != kernel.version) {
        continue;
      }
      scope_.fail(at, "each kernel once", in_quotes(k.plugin + " " + k.kernel) + " again");
    }
  }

  const Tree& root_;
  Scope scope_;
  Profile profile_;
};

using Json = nlohmann::ordered_json;

Json entry_json(const ProfileEntry& entry) {
  const ShapeClass& shape = entry.shape;
  Json json = {{"op", name(shape.op)},       {"query_tokens", shape.query_tokens},
               {"q", name(shape.q)},         {"kv", name(shape.kv)},
               {"cache", name(shape.cache)}, {"head_dim", {shape.head_dim.qk, shape.head_dim.v}},
               {"group", shape.group},       {"shapes", entry.shapes},
               {"kernels", Json::array()}};
  for (const ProfiledKernel& k : entry.kernels) {
    json["kernels"].push_back(
        {{"plugin", k.plugin}, {"version", k.version}, {"kernel", k.kernel}, {"ms", k.ms}});
  }
  return json;
}

}  // namespace
}  // namespace config

Result<Profile> parse_profile(std::string_view json, const std::string& origin) {
  if (const auto bad = first_non_text(json)) {
    return Error{ErrorCode::kInvalid, origin, "a measured profile in UTF-8",
                 "byte " + std::to_string(*bad) + ", which is no text", ""};
  }
  Result<config::Tree> tree = config::parse_tree(json, origin);
  if (!tree.ok()) return std::move(tree).error();
  return config::ProfileReader(*tree, origin).read();
}

Result<Profile> load_profile(const std::string& path) {
  Result<std::string> text =
      config::read_file(path, "a measured profile", config::kMaxProfileBytes);
  if (!text.ok()) return std::move(text).error();
  return parse_profile(*text, path);
}

std::string to_json_text(const Profile& profile) {
  using config::Json;
  Device device = profile.device;
  device.ordinal = -1;  // what it is, not which one
  Json json = {{"attnrt_profile", config::kVersion},
               {"device", to_string(device)},
               {"machine", profile.machine},
               {"threads", profile.threads},
               {"measured", Json::array()}};
  if (profile.machine.empty()) json.erase("machine");
  for (const ProfileEntry& entry : profile.entries) {
    json["measured"].push_back(config::entry_json(entry));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace attnrt
