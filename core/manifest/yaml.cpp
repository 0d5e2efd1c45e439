#include "manifest/yaml.hpp"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "format/nearest.hpp"
#include "format/utf8.hpp"

namespace attnrt {
namespace {

std::string place_of(std::string_view origin, const YAML::Mark& mark) {
  if (mark.is_null()) return std::string(origin);
  return std::string(origin) + ":" + std::to_string(mark.line + 1) + ":" +
         std::to_string(mark.column + 1);
}

Error invalid(std::string where, std::string expected, std::string found, std::string remedy) {
  return Error{.code = ErrorCode::kInvalid,
               .where = std::move(where),
               .expected = std::move(expected),
               .found = std::move(found),
               .remedy = std::move(remedy)};
}

// What the guard throws through yaml-cpp; it never leaves this file.
struct Refused {
  YAML::Mark mark;
  std::string expected;
  std::string found;
};

// Sees every event before a tree is built; yaml-cpp calls it before it recurses.
class Guard : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { check(mark, "", anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{mark, "values written out", "an alias"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string&) override {
    check(mark, tag, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    enter(mark, tag, anchor);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    enter(mark, tag, anchor);
  }
  void OnMapEnd() override { --depth_; }

 private:
  void enter(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    check(mark, tag, anchor);
    if (++depth_ > kMaxYamlDepth) {
      throw Refused{mark, "at most " + std::to_string(kMaxYamlDepth) + " levels of nesting",
                    "more"};
    }
  }
  static void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) throw Refused{mark, "values written out", "an anchor"};
    // "?" and "!" are what yaml-cpp gives untagged plain and quoted values.
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{mark, "plain values", "the tag " + in_quotes(tag)};
    }
  }

  int depth_ = 0;
};

std::optional<Error> check_text(std::string_view text, std::string_view origin) {
  if (text.size() > kMaxYamlBytes) {
    return invalid(std::string(origin), "at most " + std::to_string(kMaxYamlBytes) + " bytes",
                   std::to_string(text.size()), "shorten the text");
  }
  const std::optional<size_t> bad = first_non_text(text);
  if (!bad) return std::nullopt;
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(*bad), '\n');
  return invalid(std::string(origin) + ":" + std::to_string(line), "UTF-8 text",
                 "a byte that is none, at offset " + std::to_string(*bad),
                 "save the file as UTF-8 without control characters");
}

}  // namespace

Result<YAML::Node> load_yaml(std::string_view text, std::string_view origin) {
  if (std::optional<Error> error = check_text(text, origin)) return *std::move(error);
  const std::string copy(text);
  try {
    std::istringstream stream(copy);
    YAML::Parser parser(stream);
    Guard guard;
    if (!parser.HandleNextDocument(guard)) {
      return invalid(std::string(origin), "a YAML document", "an empty text", "");
    }
    Guard second;
    if (parser.HandleNextDocument(second)) {
      return invalid(std::string(origin), "one YAML document", "more than one",
                     "remove everything from the second '---' on");
    }
    return YAML::Load(copy);
  } catch (const Refused& refused) {
    return invalid(place_of(origin, refused.mark), refused.expected, refused.found,
                   "write the text more simply");
  } catch (const YAML::Exception& error) {
    return invalid(place_of(origin, error.mark), "YAML", error.msg, "correct the syntax there");
  }
}

std::string describe(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a map";
    case YAML::NodeType::Scalar:
      return in_quotes(node.Scalar());
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      break;
  }
  return "nothing";
}

std::string YamlReader::place(const YAML::Node& at) const {
  return place_of(origin_, at.Mark());
}

void YamlReader::fail(const YAML::Node& at, std::string expected, std::string found,
                      std::string remedy) {
  if (error_) return;
  error_ = invalid(place(at), std::move(expected), std::move(found), std::move(remedy));
}

void YamlReader::warn(const YAML::Node& at, std::string text) {
  warnings_.push_back(place(at) + ": " + std::move(text));
}

std::vector<YamlReader::Entry> YamlReader::map(const YAML::Node& node, std::string_view what) {
  std::vector<Entry> entries;
  if (!ok()) return entries;
  if (!node.IsMap()) {
    fail(node, "a map for " + std::string(what), describe(node));
    return entries;
  }
  for (const auto& pair : node) {
    const YAML::Node& key = pair.first;
    if (!key.IsScalar()) {
      fail(key, "a key that is a text in " + std::string(what), describe(key));
      return {};
    }
    const std::string& text = key.Scalar();
    const bool twice =
        std::any_of(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == text; });
    if (twice) {
      fail(key, "each key once in " + std::string(what), in_quotes(text) + " a second time",
           "remove one of them");
      return {};
    }
    entries.push_back({text, key, pair.second});
  }
  return entries;
}

std::vector<YAML::Node> YamlReader::list(const YAML::Node& node, std::string_view what) {
  std::vector<YAML::Node> values;
  if (!ok()) return values;
  if (!node.IsSequence()) {
    fail(node, "a list for " + std::string(what), describe(node), "write it as [a, b]");
    return values;
  }
  for (const YAML::Node& value : node) values.push_back(value);
  return values;
}

std::string YamlReader::text(const YAML::Node& node, std::string_view what) {
  if (!ok()) return {};
  if (node.IsScalar() && !node.Scalar().empty()) return node.Scalar();
  fail(node, "a text for " + std::string(what), describe(node));
  return {};
}

int32_t YamlReader::integer(const YAML::Node& node, std::string_view what, int32_t min,
                            int32_t max) {
  if (!ok()) return min;
  int32_t value = 0;
  // A quoted number is a text: its tag is "!".
  const bool plain = node.IsScalar() && node.Tag() != "!";
  const std::string digits = plain ? node.Scalar() : std::string();
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size();
  if (plain && whole && value >= min && value <= max) return value;
  fail(node,
       "an integer from " + std::to_string(min) + " to " + std::to_string(max) + " for " +
           std::string(what),
       node.IsScalar() && !plain ? "the text " + describe(node) : describe(node));
  return min;
}

}  // namespace attnrt
