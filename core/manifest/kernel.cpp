#include "manifest/kernel.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <set>

#include "format/nearest.hpp"

namespace attnrt {
namespace {

bool is_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return text.size() <= 64 && std::all_of(text.begin(), text.end(), allowed);
}

// Texts of a list that has to name something.
std::vector<std::pair<YAML::Node, std::string>> read_values(YamlReader& reader,
                                                            const YAML::Node& node,
                                                            std::string_view what,
                                                            size_t at_least) {
  std::vector<std::pair<YAML::Node, std::string>> values;
  const std::vector<YAML::Node> nodes = reader.list(node, what);
  if (reader.ok() && (nodes.size() < at_least || nodes.size() > kMaxListValues)) {
    reader.fail(node,
                std::to_string(at_least) + " to " + std::to_string(kMaxListValues) +
                    " values for " + std::string(what),
                std::to_string(nodes.size()));
  }
  for (const YAML::Node& value : nodes) values.emplace_back(value, reader.text(value, what));
  return values;
}

// A list of names of a closed set. Unknown ones come from a later version: they never match.
template <class E>
EnumSet<E> read_enum_set(YamlReader& reader, const YAML::Node& node, std::string_view what,
                         Result<E> (*parse)(std::string_view), size_t at_least = 1) {
  EnumSet<E> set;
  for (const auto& [value, text] : read_values(reader, node, what, at_least)) {
    const Result<E> parsed = parse(text);
    if (parsed.ok()) {
      set.insert(*parsed);
    } else if (reader.ok()) {
      reader.warn(value, "unknown value " + in_quotes(text) + " of " + std::string(what) +
                             " never matches; " + parsed.error().remedy);
    }
  }
  return set;
}

// Canonical names only: a spelling that users may write ("half") is not one that a manifest may.
Result<DType> parse_canonical_dtype(std::string_view text) {
  Result<DType> parsed = parse_dtype(text);
  if (!parsed || name(*parsed) == text) return parsed;
  return Error{.code = ErrorCode::kInvalid,
               .found = in_quotes(text),
               .remedy = "nearest: '" + std::string(name(*parsed)) + "'"};
}

std::optional<DeviceKind> read_device(YamlReader& reader, const YAML::Node& node) {
  const std::string text = reader.text(node, "device");
  for (DeviceKind kind : {DeviceKind::kCpu, DeviceKind::kCuda, DeviceKind::kRocm, DeviceKind::kXpu,
                          DeviceKind::kSimt}) {
    if (name(kind) == text) return kind;
  }
  if (reader.ok()) reader.warn(node, "unknown device " + in_quotes(text) + " never matches");
  return std::nullopt;
}

std::vector<int32_t> read_sms(YamlReader& reader, const YAML::Node& node) {
  std::set<int32_t> sms;
  for (const auto& [value, text] : read_values(reader, node, "sm", 1)) {
    const std::vector<int32_t> expanded = expand_sm(text);
    sms.insert(expanded.begin(), expanded.end());
    if (expanded.empty() && reader.ok()) {
      reader.warn(value, "unknown value " + in_quotes(text) + " of sm never matches");
    }
  }
  return {sms.begin(), sms.end()};
}

std::vector<std::string> read_gfx(YamlReader& reader, const YAML::Node& node) {
  std::vector<std::string> targets;
  for (const auto& [value, text] : read_values(reader, node, "gfx", 1)) {
    const auto known = known_gfx();
    if (std::find(known.begin(), known.end(), text) != known.end()) {
      targets.push_back(text);
    } else if (reader.ok()) {
      reader.warn(value, "unknown value " + in_quotes(text) + " of gfx never matches");
    }
  }
  return targets;
}

int32_t read_alignment(YamlReader& reader, const YAML::Node& node) {
  const int32_t bytes = reader.integer(node, "alignment", 1, kMaxAlignment);
  if (reader.ok() && !std::has_single_bit(static_cast<uint32_t>(bytes))) {
    reader.fail(node, "a power of two for alignment", std::to_string(bytes), "e.g. 16");
  }
  return bytes;
}

int32_t read_query_tokens(YamlReader& reader, const YAML::Node& node,
                          std::vector<std::string>& unknown_keys) {
  int32_t max = 0;
  for (const auto& [key, key_node, value] : reader.map(node, "query_tokens")) {
    if (key == "max") {
      max = reader.integer(value, "query_tokens.max", 1, kMaxSize);
    } else {
      unknown_keys.push_back("query_tokens." + key);
    }
  }
  if (max == 0) reader.fail(node, "{max: N} for query_tokens", "no max");
  return max;
}

// Keys that a kernel must have, given its device and ops.
std::vector<std::string_view> required_keys(const KernelManifest& k) {
  std::vector<std::string_view> keys{"name", "device", "op", "q", "head_dim"};
  if (k.device == DeviceKind::kCuda || k.device == DeviceKind::kSimt) keys.push_back("sm");
  if (k.device == DeviceKind::kRocm) keys.push_back("gfx");
  const bool attends =
      k.ops.contains(Op::kPrefill) || k.ops.contains(Op::kDecode) || k.ops.contains(Op::kMixed);
  if (attends || k.ops.contains(Op::kAppend)) {
    for (std::string_view key : {"kv", "block_size", "layout"}) keys.push_back(key);
  }
  if (attends) {
    for (std::string_view key : {"group", "features"}) keys.push_back(key);
  }
  return keys;
}

void check_keys(YamlReader& reader, const YAML::Node& node, const KernelManifest& k,
                const std::set<std::string, std::less<>>& seen) {
  const std::string where = k.name.empty() ? "a kernel" : "kernel " + in_quotes(k.name);
  for (std::string_view key : required_keys(k)) {
    if (!seen.contains(key)) {
      reader.fail(node, "the key '" + std::string(key) + "' in " + where, "none",
                  "list what the kernel supports there");
    }
  }
  const bool has_sm = k.device == DeviceKind::kCuda || k.device == DeviceKind::kSimt;
  if (k.device && seen.contains("sm") && !has_sm) {
    reader.fail(node, "sm for cuda and simt only", "it in " + where, "remove it");
  }
  if (k.device && seen.contains("gfx") && k.device != DeviceKind::kRocm) {
    reader.fail(node, "gfx for rocm only", "it in " + where, "remove it");
  }
}

using ReadKey = void (*)(YamlReader& r, KernelManifest& k, const YAML::Node& value);

// The keys of this version.
const std::map<std::string, ReadKey, std::less<>>& kernel_keys() {
  static const std::map<std::string, ReadKey, std::less<>> keys{
      {"name", [](auto& r, auto& k, auto& v) { k.name = read_name(r, v, "a kernel's name"); }},
      {"device", [](auto& r, auto& k, auto& v) { k.device = read_device(r, v); }},
      {"sm", [](auto& r, auto& k, auto& v) { k.sm = read_sms(r, v); }},
      {"gfx", [](auto& r, auto& k, auto& v) { k.gfx = read_gfx(r, v); }},
      {"op", [](auto& r, auto& k, auto& v) { k.ops = read_enum_set(r, v, "op", parse_op); }},
      {"query_tokens",
       [](auto& r, auto& k, auto& v) {
         k.max_query_tokens = read_query_tokens(r, v, k.unknown_keys);
       }},
      {"q",
       [](auto& r, auto& k, auto& v) { k.q = read_enum_set(r, v, "q", parse_canonical_dtype); }},
      {"out", [](auto& r, auto& k,
                 auto& v) { k.out = read_enum_set(r, v, "out", parse_canonical_dtype); }},
      {"kv", [](auto& r, auto& k, auto& v) { k.kv = read_enum_set(r, v, "kv", parse_format); }},
      {"cache",
       [](auto& r, auto& k, auto& v) { k.cache = read_enum_set(r, v, "cache", parse_cache_kind); }},
      {"head_dim",
       [](auto& r, auto& k, auto& v) { k.head_dim = read_head_dims(r, v, k.unknown_keys); }},
      {"block_size",
       [](auto& r, auto& k, auto& v) {
         k.block_size = read_int_set(r, v, "block_size", k.unknown_keys);
       }},
      {"layout",
       [](auto& r, auto& k, auto& v) { k.layout = read_enum_set(r, v, "layout", parse_layout); }},
      {"group",
       [](auto& r, auto& k, auto& v) { k.group = read_int_set(r, v, "group", k.unknown_keys); }},
      {"features", [](auto& r, auto& k,
                      auto& v) { k.features = read_enum_set(r, v, "features", parse_feature, 0); }},
      {"tensors", [](auto& r, auto& k,
                     auto& v) { k.tensors = read_enum_set(r, v, "tensors", parse_strides); }},
      {"pages",
       [](auto& r, auto& k, auto& v) { k.pages = read_enum_set(r, v, "pages", parse_strides); }},
      {"alignment", [](auto& r, auto& k, auto& v) { k.alignment = read_alignment(r, v); }},
      {"score",
       [](auto& r, auto& k, auto& v) { k.score = r.integer(v, "score", -1000000, 1000000); }},
  };
  return keys;
}

}  // namespace

std::string read_name(YamlReader& reader, const YAML::Node& node, std::string_view what) {
  std::string text = reader.text(node, what);
  if (reader.ok() && !is_name(text)) {
    reader.fail(node, std::string(what) + " of at most 64 letters, digits, '_', '-' and '.'",
                in_quotes(text));
  }
  return text;
}

std::vector<std::string> read_texts(YamlReader& reader, const YAML::Node& node,
                                    std::string_view what) {
  std::vector<std::string> texts;
  for (auto& [value, text] : read_values(reader, node, what, 0)) texts.push_back(std::move(text));
  return texts;
}

KernelManifest read_kernel(YamlReader& reader, const YAML::Node& node) {
  KernelManifest kernel;
  std::set<std::string, std::less<>> seen;
  for (const YamlReader::Entry& entry : reader.map(node, "a kernel")) {
    if (entry.key.starts_with("x-")) continue;
    seen.insert(entry.key);
    const auto known = kernel_keys().find(entry.key);
    if (known != kernel_keys().end()) {
      known->second(reader, kernel, entry.value);
    } else {
      kernel.unknown_keys.push_back(entry.key);
      reader.warn(entry.key_node, "unknown key " + in_quotes(entry.key) +
                                      " may be a restriction: the kernel is refused");
    }
  }
  // A kernel of a later version may have good reasons to lack a key of this one.
  if (reader.ok() && kernel.unknown_keys.empty()) check_keys(reader, node, kernel, seen);
  if (reader.ok() && kernel.name.empty()) {
    reader.fail(node, "the key 'name' in a kernel", "none", "name it");
  }
  return kernel;
}

}  // namespace attnrt
