// Shapes from CSV: RFC 4180 with either kind of line end, and a place in every error.
#include <algorithm>

#include "attnrt/bench.hpp"
#include "config/bench_shape.hpp"
#include "config/files.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace config {
namespace {

struct Field {
  std::string text;
  Position at;
};

// Lines of fields. A line without any character but blanks is none.
class Csv {
 public:
  Csv(std::string_view text, Scope& scope) : text_(text), scope_(scope) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  // False at the end, or after an error.
  bool next(std::vector<Field>& fields) {
    while (!scope_.failed() && begin_line()) {
      fields.clear();
      read_line(fields);
      if (scope_.failed()) return false;
      const bool blank = fields.size() == 1 && fields[0].text.empty();
      if (!blank) return true;
    }
    return false;
  }

 private:
  bool begin_line() {
    if (pos_ >= text_.size()) return false;
    ++line_;
    line_begin_ = pos_;
    return true;
  }
  char peek() const { return pos_ < text_.size() ? text_[pos_] : '\n'; }
  bool at_line_end() const {
    if (peek() == '\n') return true;
    return peek() == '\r' && (pos_ + 1 >= text_.size() || text_[pos_ + 1] == '\n');
  }
  Position here() const { return {line_, static_cast<int32_t>(pos_ - line_begin_) + 1}; }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++pos_;
  }

  void read_line(std::vector<Field>& fields) {
    while (true) {
      skip_blanks();
      fields.push_back(peek() == '"' ? quoted() : plain());
      if (scope_.failed()) return;
      if (at_line_end()) break;
      ++pos_;  // the comma
    }
    pos_ = std::min(text_.find('\n', pos_), text_.size() - 1) + 1;
  }

  Field plain() {
    Field field{"", here()};
    while (peek() != ',' && !at_line_end()) {
      if (peek() == '"') {
        scope_.fail(here(), "a quote at the beginning of a field only", "one inside it",
                    "put the whole field into quotes and write \"\" for each of its own");
      }
      field.text += text_[pos_++];
    }
    field.text.resize(field.text.find_last_not_of(" \t") + 1);
    return field;
  }

  Field quoted() {
    Field field{"", here()};
    ++pos_;
    while (true) {
      if (pos_ >= text_.size() || text_[pos_] == '\n') {
        scope_.fail(field.at, "a closing quote on the same line", "none");
        return field;
      }
      if (text_[pos_] == '"') {
        if (pos_ + 1 >= text_.size() || text_[pos_ + 1] != '"') break;
        ++pos_;
      }
      field.text += text_[pos_++];
    }
    ++pos_;
    skip_blanks();
    if (peek() != ',' && !at_line_end()) {
      scope_.fail(here(), "a comma or the line's end behind a quoted field",
                  in_quotes(text_.substr(pos_, 1)));
    }
    return field;
  }

  std::string_view text_;
  Scope& scope_;
  size_t pos_ = 0;
  size_t line_begin_ = 0;
  int32_t line_ = 0;
};

std::string all_columns() {
  return join(shape_columns()) + " and, if wanted, " + join(optional_shape_columns());
}

void check_header(const std::vector<Field>& header, Scope& scope) {
  for (size_t i = 0; i < header.size(); ++i) {
    if (!is_shape_column(header[i].text)) {
      scope.fail(header[i].at, unknown_name("a column", header[i].text, all_shape_columns()));
    }
    for (size_t j = 0; j < i; ++j) {
      if (header[i].text != header[j].text) continue;
      scope.fail(header[i].at, "each column once", in_quotes(header[i].text) + " again");
    }
  }
  for (const std::string_view column : shape_columns()) {
    const bool there =
        std::any_of(header.begin(), header.end(), [&](const Field& f) { return f.text == column; });
    if (!there) {
      scope.fail(header.front().at, "a header with the columns " + all_columns(),
                 "no column '" + std::string(column) + "'");
    }
  }
}

std::vector<ShapeField> name_fields(const std::vector<Field>& header,
                                    const std::vector<Field>& line, Scope& scope) {
  if (line.size() != header.size()) {
    const bool fewer = line.size() < header.size();
    scope.fail(fewer ? line.back().at : line[header.size()].at,
               std::to_string(header.size()) + " fields, as in the header",
               std::to_string(line.size()));
    return {};
  }
  std::vector<ShapeField> fields;
  for (size_t i = 0; i < line.size(); ++i) {
    fields.push_back({header[i].text, line[i].text, line[i].at});
  }
  return fields;
}

std::vector<BenchShape> read_shapes(Csv& csv, Scope& scope) {
  std::vector<Field> header;
  if (!csv.next(header)) {
    scope.fail({1, 1}, "a header with the columns " + all_columns(), "nothing");
    return {};
  }
  check_header(header, scope);
  std::vector<BenchShape> shapes;
  std::vector<Field> line;
  while (csv.next(line)) {
    const std::vector<ShapeField> fields = name_fields(header, line, scope);
    if (scope.failed()) return {};
    const Position at = line.front().at;
    add_shape(read_shape(fields, at, scope), at, scope, shapes);
  }
  if (shapes.empty()) scope.fail({2, 1}, "at least one shape behind the header", "none");
  return shapes;
}

}  // namespace
}  // namespace config

Result<std::vector<BenchShape>> parse_shapes(std::string_view text, const std::string& origin) {
  config::Scope scope(origin);
  config::Csv csv(text, scope);
  std::vector<BenchShape> shapes = config::read_shapes(csv, scope);
  if (scope.failed()) return *scope.error();
  return shapes;
}

Result<std::vector<BenchShape>> load_shapes(const std::string& path) {
  Result<std::string> text =
      config::read_file(path, "a CSV file of shapes", config::kMaxConfigBytes);
  if (!text.ok()) return std::move(text).error();
  return parse_shapes(*text, path);
}

}  // namespace attnrt
