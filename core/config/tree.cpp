#include "config/tree.hpp"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "format/nearest.hpp"

namespace attnrt::config {
namespace {

// Aliases let a short text unfold without bound; configurations are small.
constexpr int kMaxDepth = 48;
constexpr int64_t kMaxNodes = 500'000;
constexpr const char* kDepthExpected = "at most 48 levels of nesting";
constexpr const char* kDepthRemedy =
    "close brackets, and look for an alias (*name) inside its own anchor (&name)";

Position position(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

// Looks at nothing but where documents begin.
class DocumentStarts final : public YAML::EventHandler {
 public:
  std::optional<Position> last;
  void OnDocumentStart(const YAML::Mark& mark) override { last = position(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// Where a second document begins, or whatever stands behind the first. YAML::LoadAll would do, but
// it never ends at a bracket that closes nothing: to it that is one more document, for ever.
std::optional<Position> second_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStarts starts;
  if (!parser.HandleNextDocument(starts) || !parser.HandleNextDocument(starts)) return std::nullopt;
  return starts.last;
}

class Converter {
 public:
  explicit Converter(std::string_view origin) : origin_(origin) {}

  Tree convert(const YAML::Node& node, int depth) {
    Tree tree;
    tree.at = position(node.Mark());
    if (error) return tree;
    if (depth > kMaxDepth) {
      fail(tree.at, kDepthExpected, "more", kDepthRemedy);
      return tree;
    }
    if (++nodes_ > kMaxNodes) {
      fail(tree.at, "a configuration of reasonable size", "one repeated without end",
           "look for an alias (*name) inside its own anchor (&name)");
      return tree;
    }
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        break;
      case YAML::NodeType::Scalar:
        tree.kind = Tree::Kind::kScalar;
        tree.text = node.Scalar();
        tree.quoted = node.Tag() == "!";
        break;
      case YAML::NodeType::Sequence:
        tree.kind = Tree::Kind::kSequence;
        for (const auto& item : node) tree.items.push_back(convert(item, depth + 1));
        break;
      case YAML::NodeType::Map:
        tree.kind = Tree::Kind::kMapping;
        add_fields(tree, node, depth);
        break;
    }
    return tree;
  }

  std::optional<Error> error;

 private:
  using LineOfKey = std::unordered_map<std::string, int>;

  void add_fields(Tree& tree, const YAML::Node& node, int depth) {
    LineOfKey seen;
    for (const auto& pair : node) {
      if (error) return;
      add_field(tree, seen, pair.first, pair.second, depth);
    }
  }

  void add_field(Tree& tree, LineOfKey& seen, const YAML::Node& key, const YAML::Node& value,
                 int depth) {
    const Position at = position(key.Mark());
    if (!key.IsScalar()) {
      fail(at, "a key that is a plain word", "a list, a mapping or nothing", "");
      return;
    }
    const auto [first, is_new] = seen.emplace(key.Scalar(), at.line);
    if (!is_new) {
      fail(at, "each key once",
           in_quotes(key.Scalar()) + " again, first written at line " +
               std::to_string(first->second),
           "delete one of the two");
      return;
    }
    tree.fields.push_back({key.Scalar(), at, convert(value, depth + 1)});
  }

  void fail(Position at, std::string expected, std::string found, std::string remedy) {
    if (error) return;
    error = Error{ErrorCode::kInvalid, locate(origin_, at), std::move(expected), std::move(found),
                  std::move(remedy)};
  }

  std::string_view origin_;
  int64_t nodes_ = 0;
};

}  // namespace

const Tree* Tree::find(std::string_view key) const {
  for (const Field& field : fields) {
    if (field.key == key) return field.value.kind == Kind::kNull ? nullptr : &field.value;
  }
  return nullptr;
}

std::string_view name(Tree::Kind kind) {
  switch (kind) {
    case Tree::Kind::kNull:
      return "nothing";
    case Tree::Kind::kScalar:
      return "a single value";
    case Tree::Kind::kSequence:
      return "a list";
    case Tree::Kind::kMapping:
      return "a mapping";
  }
  return "nothing";
}

std::string locate(std::string_view origin, Position at) {
  std::string text(origin);
  if (at.line > 0) text += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  return text;
}

Result<Tree> parse_tree(std::string_view text, std::string_view origin) {
  try {
    const std::string copy(text);
    if (const std::optional<Position> second = second_document(copy)) {
      return Error{ErrorCode::kInvalid, locate(origin, *second), "one document",
                   "a second one, or something behind the first",
                   "several runs are written as a list: runs: […]"};
    }
    Converter converter(origin);
    Tree tree = converter.convert(YAML::Load(copy), 0);
    if (converter.error) return *converter.error;
    return tree;
  } catch (const YAML::DeepRecursion& e) {  // the parser's own limit; its words are "bad file"
    return Error{ErrorCode::kInvalid, locate(origin, position(e.mark)), kDepthExpected, "more",
                 kDepthRemedy};
  } catch (const YAML::Exception& e) {
    return Error{ErrorCode::kInvalid, locate(origin, position(e.mark)), "YAML or JSON", e.msg, ""};
  }
}

Tree merge(const Tree& base, const Tree& over) {
  if (base.kind != Tree::Kind::kMapping || over.kind != Tree::Kind::kMapping) return over;
  Tree result = base;
  result.at = over.at;
  for (const Tree::Field& field : over.fields) {
    auto same = [&](const Tree::Field& f) { return f.key == field.key; };
    auto it = std::find_if(result.fields.begin(), result.fields.end(), same);
    if (it == result.fields.end()) {
      result.fields.push_back(field);
    } else {
      it->at = field.at;
      it->value = merge(it->value, field.value);
    }
  }
  return result;
}

}  // namespace attnrt::config
