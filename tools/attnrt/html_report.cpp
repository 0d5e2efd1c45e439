#include "attnrt/html_report.hpp"

#include "attnrt/html_page.hpp"
#include "attnrt/report_rows.hpp"

namespace attnrt::command {
namespace {

// Titles without the mark of numeric columns, and which columns those are.
struct Header {
  std::vector<std::string> titles;
  std::vector<bool> numeric;
  explicit Header(const std::vector<std::string>& marked) {
    for (const std::string& title : marked) {
      numeric.push_back(title.front() == '>');
      titles.push_back(numeric.back() ? title.substr(1) : title);
    }
  }
};

std::string paragraph(const std::string& style, const std::string& text) {
  return "<p class=\"" + style + "\">" + html_escape(text) + "</p>\n";
}

}  // namespace

std::string html_report(const std::vector<RunReport>& reports) {
  std::vector<std::vector<std::string>> results, latencies;
  std::string notes;
  for (const RunReport& report : reports) {
    for (auto& row : report_rows(report)) results.push_back(std::move(row));
    for (auto& row : latency_rows(report)) latencies.push_back(std::move(row));
    for (const std::string& note : report_notes(report)) {
      notes += paragraph(report.verified ? "note" : "bad", report.name + ": " + note);
    }
    for (const PluginUse& plugin : report.plugins) {
      const std::string line = paragraph("note", plugin.name + " " + plugin.description);
      if (notes.find(line) == std::string::npos) notes += line;
    }
  }
  const std::string data = data_note(reports);
  const Header result_header(report_header(reports)), latency_header(kLatencyHeader);
  return html_page(
      "attnrt run",
      (data.empty() ? "" : paragraph("bad", data)) +
          html_table(result_header.titles, results, result_header.numeric) +
          paragraph("note", error_note(reports)) + "<h2>Step latencies, all layers</h2>\n" +
          html_table(latency_header.titles, latencies, latency_header.numeric) + notes);
}

}  // namespace attnrt::command
