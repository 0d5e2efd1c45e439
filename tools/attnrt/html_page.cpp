#include "attnrt/html_page.hpp"

#include "attnrt/result.hpp"

namespace attnrt::command {
namespace {

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.86rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{position:sticky;top:0;background:Canvas}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr:hover td{background:var(--soft)}
.note{opacity:.75}.bad{color:#c22;font-weight:600}
)";

}  // namespace

std::string html_escape(const std::string& text) {
  std::string out;
  for (char c : printable_lines(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_page(const std::string& title, const std::string& body) {
  const std::string name = html_escape(title);
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width\"><title>" +
         name + "</title><style>" + kStyle + "</style></head>\n<body><h1>" + name + "</h1>\n" +
         body + "</body></html>\n";
}

std::string html_table(const std::vector<std::string>& header,
                       const std::vector<std::vector<std::string>>& rows,
                       const std::vector<bool>& numeric) {
  auto cell = [&](const char* tag, size_t column, const std::string& text) {
    const bool n = column < numeric.size() && numeric[column];
    return std::string("<") + tag + (n ? " class=\"n\">" : ">") + html_escape(text) + "</" + tag +
           ">";
  };
  std::string out = "<div class=\"scroll\"><table><tr>";
  for (size_t i = 0; i < header.size(); ++i) out += cell("th", i, header[i]);
  out += "</tr>\n";
  for (const auto& row : rows) {
    out += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) out += cell("td", i, row[i]);
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

}  // namespace attnrt::command
