#include "config/bench_shape.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "format/nearest.hpp"
#include "format/utf8.hpp"

namespace attnrt::config {
namespace {

constexpr std::array<std::string_view, 8> kColumns{"name",   "phase",   "batch",    "q_len",
                                                   "kv_len", "q_heads", "kv_heads", "head_dim"};
constexpr std::array<std::string_view, 2> kOptionalColumns{"block", "rest_kv_len"};
constexpr std::array<std::string_view, 4> kPhases{"decode", "speculative", "prefill", "chunk"};
constexpr int32_t kMaxBatch = 1 << 16;
constexpr int32_t kMaxTokens = 1 << 28;
constexpr int32_t kMaxHeads = 1 << 16;
constexpr int32_t kMaxBlock = 1 << 16;
constexpr size_t kMaxShapes = 10'000;

class ShapeReader {
 public:
  ShapeReader(const std::vector<ShapeField>& fields, Position at, Scope& scope)
      : fields_(fields), at_(at), scope_(scope) {}

  BenchShape read() {
    shape_.where = locate(scope_.origin(), at_);
    read_name();
    read_phase();
    shape_.batch = count("batch", kMaxBatch);
    shape_.q_len = count("q_len", kMaxTokens);
    shape_.kv_len = count("kv_len", kMaxTokens);
    shape_.q_heads = count("q_heads", kMaxHeads);
    shape_.kv_heads = count("kv_heads", kMaxHeads);
    read_head_dim();
    if (given("block")) shape_.block_size = count("block", kMaxBlock);
    if (given("rest_kv_len")) shape_.rest_kv_len = count("rest_kv_len", kMaxTokens);
    if (!scope_.failed()) check();
    return std::move(shape_);
  }

 private:
  const ShapeField* find(std::string_view key) const {
    for (const ShapeField& f : fields_) {
      if (f.key == key) return &f;
    }
    return nullptr;
  }
  const ShapeField& need(std::string_view key) const { return *find(key); }
  bool given(std::string_view key) const {
    const ShapeField* field = find(key);
    return field != nullptr && !field->text.empty();
  }

  void read_name() {
    const ShapeField& field = need("name");
    const bool line = field.text.find_first_of("\t\r\n") == std::string::npos;
    if (field.text.empty() || !line || first_non_text(field.text)) {
      scope_.fail(field.at, "a name in printable UTF-8", in_quotes(field.text));
    }
    shape_.name = field.text;
  }

  void read_phase() {
    const ShapeField& field = need("phase");
    shape_.phase = field.text;
    if (std::find(kPhases.begin(), kPhases.end(), field.text) == kPhases.end()) {
      scope_.fail(field.at, unknown_name("a phase", field.text, kPhases));
    }
    const bool prefills = field.text == "prefill" || field.text == "chunk";
    shape_.op = prefills ? Op::kPrefill : Op::kDecode;
  }

  int32_t parse(std::string_view text, const ShapeField& field, int32_t max) {
    int32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size() && value >= 1 && value <= max) {
      return value;
    }
    scope_.fail(field.at, field.key + ": an integer from 1 to " + std::to_string(max),
                in_quotes(field.text));
    return 1;
  }
  int32_t count(std::string_view key, int32_t max) {
    const ShapeField& field = need(key);
    return parse(field.text, field, max);
  }

  void read_head_dim() {
    const ShapeField& field = need("head_dim");
    const std::string_view text = field.text;
    const size_t slash = text.find('/');
    shape_.head_dim.qk = parse(text.substr(0, slash), field, kMaxHeads);
    shape_.head_dim.v = slash == std::string_view::npos
                            ? shape_.head_dim.qk
                            : parse(text.substr(slash + 1), field, kMaxHeads);
  }

  void check() {
    if (shape_.q_heads % shape_.kv_heads != 0) {
      scope_.fail(need("q_heads").at, "q_heads: a multiple of kv_heads",
                  std::to_string(shape_.q_heads) + " of " + std::to_string(shape_.kv_heads));
    }
    if (shape_.q_len > shape_.kv_len) {
      scope_.fail(need("kv_len").at, "kv_len: at least q_len, whose own keys it counts",
                  std::to_string(shape_.kv_len) + " of " + std::to_string(shape_.q_len));
    }
    if (shape_.rest_kv_len > shape_.kv_len ||
        (shape_.rest_kv_len > 0 && shape_.rest_kv_len < shape_.q_len)) {
      scope_.fail(need("rest_kv_len").at, "rest_kv_len: from q_len to kv_len, the first sequence's",
                  std::to_string(shape_.rest_kv_len) + " with " + std::to_string(shape_.q_len) +
                      " and " + std::to_string(shape_.kv_len));
    }
    if (int64_t{shape_.batch} * shape_.q_len > kMaxTokens) {
      scope_.fail(need("batch").at, "at most " + std::to_string(kMaxTokens) + " query tokens",
                  std::to_string(int64_t{shape_.batch} * shape_.q_len));
    }
    if (shape_.op == Op::kPrefill && shape_.q_len < 2) {
      scope_.fail(need("q_len").at, "q_len: at least 2 in a prefill", "1",
                  "one query token is a decode");
    }
  }

  const std::vector<ShapeField>& fields_;
  Position at_;
  Scope& scope_;
  BenchShape shape_;
};

}  // namespace

std::span<const std::string_view> shape_columns() {
  return kColumns;
}

std::span<const std::string_view> optional_shape_columns() {
  return kOptionalColumns;
}

std::vector<std::string_view> all_shape_columns() {
  std::vector<std::string_view> all(kColumns.begin(), kColumns.end());
  all.insert(all.end(), kOptionalColumns.begin(), kOptionalColumns.end());
  return all;
}

bool is_shape_column(std::string_view key) {
  const std::vector<std::string_view> all = all_shape_columns();
  return std::find(all.begin(), all.end(), key) != all.end();
}

BenchShape read_shape(const std::vector<ShapeField>& fields, Position at, Scope& scope) {
  return ShapeReader(fields, at, scope).read();
}

void add_shape(BenchShape shape, Position at, Scope& scope, std::vector<BenchShape>& shapes) {
  if (shapes.size() >= kMaxShapes) {
    scope.fail(at, "at most " + std::to_string(kMaxShapes) + " shapes", "more");
    return;
  }
  const auto same = [&](const BenchShape& other) { return other.name == shape.name; };
  const auto first = std::find_if(shapes.begin(), shapes.end(), same);
  if (first != shapes.end()) {
    scope.fail(at, "a name of its own for each shape",
               in_quotes(shape.name) + " again, first at " + first->where, "rename one of them");
  }
  shapes.push_back(std::move(shape));
}

}  // namespace attnrt::config
