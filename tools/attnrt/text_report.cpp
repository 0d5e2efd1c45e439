#include "attnrt/report_rows.hpp"
#include "attnrt/text.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

std::string plugins_text(const std::vector<RunReport>& reports) {
  std::string text;
  for (const RunReport& report : reports) {
    for (const PluginUse& plugin : report.plugins) {
      if (plugin.description.empty()) continue;
      const std::string line = printable(plugin.name + ": " + plugin.description) + "\n";
      if (text.find(line) == std::string::npos) text += line;
    }
  }
  return text;
}

}  // namespace

std::string reports_text(const std::vector<RunReport>& reports) {
  if (reports.empty()) return "";
  TextTable results(report_header(reports));
  std::string notes;
  for (const RunReport& report : reports) {
    for (auto& row : report_rows(report)) results.add(std::move(row));
    for (const std::string& note : report_notes(report))
      notes += printable(report.name + ": " + note) + "\n";
  }
  const std::string data = data_note(reports);
  return (data.empty() ? "" : data + "\n\n") + results.to_string() + "\n" + error_note(reports) +
         "\n" + (notes.empty() ? "" : "\n" + notes) + "\n" + plugins_text(reports);
}

}  // namespace attnrt::command
