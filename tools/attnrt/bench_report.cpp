#include "attnrt/bench_report.hpp"

#include <algorithm>
#include <cstdio>

#include "attnrt/html_page.hpp"
#include "attnrt/text_table.hpp"
#include "bench/plot/roofline_plot.hpp"

namespace attnrt::command {
namespace {

using bench::Figure;
using bench::MachineLimits;
using bench::SweepResult;
using Row = std::vector<std::string>;

const Row kLimitHeader{"LIMIT", ">THREADS", ">WORKING SET", ">VALUE", "UNIT", "HOW"};
const Row kFigureHeader{"SHAPE",    "FORMAT",   "BACKEND",    ">THREADS", ">MEDIAN ms",
                        ">MIN ms",  ">KV GB/s", ">GFLOP/s",   "LIMIT",    ">SHARE",
                        ">SAMPLES", ">WALKED",  ">HUGE PAGES"};

std::string percent(double part) {
  if (!(part >= 0)) return "?";
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", 100 * part);
  return text;
}

std::string mib_text(double bytes) {
  return number_text(bytes / (1 << 20), 4) + " MiB";
}

std::string pattern_text(const bench::ReadLimit& read) {
  if (read.level == "copy") return "copied on the device, bytes read and bytes written";
  const int32_t streams = read.pattern.streams;
  std::string text = std::to_string(streams) + (streams == 1 ? " stream" : " streams");
  if (read.pattern.prefetch_bytes > 0) {
    text += ", prefetched " + std::to_string(read.pattern.prefetch_bytes) + " B ahead";
  }
  return text + ", huge pages " + percent(read.huge_pages);
}

std::vector<Row> limit_rows(const SweepResult& result) {
  std::vector<Row> rows;
  for (const MachineLimits& limits : result.limits) {
    const std::string threads = std::to_string(limits.threads);
    for (const bench::ReadLimit& read : limits.read) {
      rows.push_back({read.level == "copy" ? "copy" : "read " + read.level, threads,
                      mib_text(static_cast<double>(read.bytes)), number_text(read.gb_s, 4), "GB/s",
                      pattern_text(read)});
    }
    for (const bench::FlopLimit& unit : limits.flops) {
      rows.push_back({unit.name, threads, "", number_text(unit.gflop_s, 4), "GFLOP/s", ""});
    }
  }
  return rows;
}

std::string format_text(const Figure& f) {
  const std::string canonical(name(f.plan.kv));
  return f.format == canonical ? canonical : f.format + " = " + canonical;
}

std::vector<Row> figure_rows(const SweepResult& result) {
  std::vector<Row> rows;
  for (const Figure& f : result.figures) {
    rows.push_back({f.shape.name, format_text(f), f.plan.plugin + " " + f.plan.kernel,
                    std::to_string(f.threads), number_text(f.timing.median_ms, 4),
                    number_text(f.timing.min_ms, 4), number_text(f.kv_gb_s(), 4),
                    number_text(f.gflop_s(), 4), f.limit.name.empty() ? "?" : f.limit.name,
                    percent(f.share_of_limit()), std::to_string(f.timing.iterations),
                    mib_text(f.walked_bytes), percent(f.huge_pages)});
  }
  return rows;
}

Row notes_of(const SweepResult& result) {
  Row notes;
  for (const Figure& f : result.figures) {
    if (f.description.empty()) continue;
    const std::string note = f.plan.plugin + ": " + f.description;
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
  }
  for (const Error& error : result.unserved) notes.push_back("not served: " + to_string(error));
  const auto unbound = [](const Figure& f) { return f.limit.name.empty(); };
  if (std::any_of(result.figures.begin(), result.figures.end(), unbound)) {
    notes.push_back("?: the device's arithmetic is not measured here, so a prefill has no share");
  }
  return notes;
}

std::string machine_text(const SweepResult& result) {
  if (result.device.empty() || result.machine.empty()) return result.device + result.machine;
  return result.device + ", in a machine with " + result.machine;
}

constexpr const char* kExplanation =
    "Times are those of attend alone, over caches that are not warm. GB/s: KV that must be read; "
    "GFLOP/s: 2 (qk + v) a visible pair. SHARE: the time that the limit allows, of the median.";

template <class T>
bool differ(const SweepResult& result, T&& of) {
  for (const Figure& f : result.figures) {
    if (of(f) != of(result.figures.front())) return true;
  }
  return false;
}

Json part_json(double part) {
  return part >= 0 ? Json(part) : Json(nullptr);
}

Json figure_json(const Figure& f) {
  return {{"name", f.shape.name},
          {"format", f.format},
          {"threads", f.threads},
          {"median_ms", f.timing.median_ms},
          {"min_ms", f.timing.min_ms},
          {"kv_gb_s", f.kv_gb_s()},
          {"gflop_s", f.gflop_s()},
          {"limit", f.limit.name.empty() ? Json(nullptr) : Json(f.limit.name)},
          {"share_of_limit", part_json(f.share_of_limit())}};
}

Json limits_json(const MachineLimits& limits) {
  Json json = {{"threads", limits.threads}, {"read", Json::array()}, {"flops", Json::array()}};
  for (const bench::ReadLimit& read : limits.read) {
    json["read"].push_back({{"level", read.level},
                            {"bytes", read.bytes},
                            {"gb_s", read.gb_s},
                            {"streams", read.pattern.streams},
                            {"prefetch_bytes", read.pattern.prefetch_bytes},
                            {"huge_pages", part_json(read.huge_pages)}});
  }
  for (const bench::FlopLimit& unit : limits.flops) {
    json["flops"].push_back({{"unit", unit.name}, {"gflop_s", unit.gflop_s}});
  }
  return json;
}

// Titles without the mark of numeric columns.
std::string page_table(const Row& marked, const std::vector<Row>& rows) {
  Row titles;
  std::vector<bool> numeric;
  for (const std::string& title : marked) {
    numeric.push_back(title.front() == '>');
    titles.push_back(numeric.back() ? title.substr(1) : title);
  }
  return html_table(titles, rows, numeric);
}

}  // namespace

Json figures_json(const SweepResult& result) {
  const bool backends = differ(result, [](const Figure& f) { return f.plan.plugin; });
  Json list = Json::array();
  for (const Figure& f : result.figures) {
    Json json = figure_json(f);
    if (backends) json["backend"] = f.plan.plugin;
    list.push_back(std::move(json));
  }
  return list;
}

Json bench_report_json(const SweepResult& result) {
  Json json = {{"machine", result.machine}, {"limits", Json::array()}, {"figures", Json::array()}};
  if (!result.device.empty()) json["device"] = result.device;
  for (const MachineLimits& limits : result.limits) json["limits"].push_back(limits_json(limits));
  for (const Figure& f : result.figures) {
    Json figure = figure_json(f);
    figure.update({{"phase", f.shape.phase},
                   {"batch", f.shape.batch},
                   {"q_len", f.shape.q_len},
                   {"kv_len", f.shape.kv_len},
                   {"rest_kv_len", f.shape.kv_len_of(1)},
                   {"kv", name(f.plan.kv)},
                   {"q", name(f.plan.q)},
                   {"backend", f.plan.plugin},
                   {"kernel", f.plan.kernel},
                   {"block_size", f.plan.block_size},
                   {"layout", name(f.plan.layout)},
                   {"iterations", f.timing.iterations},
                   {"kv_bytes", f.work.kv_bytes},
                   {"flop", f.work.flop},
                   {"walked_bytes", f.walked_bytes},
                   {"huge_pages", part_json(f.huge_pages)},
                   {"description", f.description}});
    json["figures"].push_back(std::move(figure));
  }
  json["unserved"] = Json::array();
  for (const Error& error : result.unserved) json["unserved"].push_back(to_json(error));
  return json;
}

std::string bench_text(const SweepResult& result) {
  TextTable limits(kLimitHeader);
  for (Row& row : limit_rows(result)) limits.add(std::move(row));
  TextTable figures(kFigureHeader);
  for (Row& row : figure_rows(result)) figures.add(std::move(row));
  const std::string machine = machine_text(result);
  std::string text = machine.empty() ? "" : machine + "\n\n";
  text += limits.to_string() + "\n" + figures.to_string() + "\n" + kExplanation + "\n";
  for (const std::string& note : notes_of(result)) text += note + "\n";
  return text;
}

std::string bench_html(const SweepResult& result) {
  std::string body;
  for (const MachineLimits& limits : result.limits) {
    body += "<div class=\"scroll\">" + bench::to_svg(roofline_plot(result, limits)) + "</div>\n";
  }
  body += "<h2>The machine's limits</h2>\n" + page_table(kLimitHeader, limit_rows(result));
  body += "<h2>Figures</h2>\n" + page_table(kFigureHeader, figure_rows(result));
  body += "<p class=\"note\">" + html_escape(kExplanation) + "</p>\n";
  for (const std::string& note : notes_of(result)) {
    body += "<p class=\"note\">" + html_escape(note) + "</p>\n";
  }
  return html_page("attnrt bench", body);
}

}  // namespace attnrt::command
