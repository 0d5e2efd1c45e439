#include "bench/plot/roofline_plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace attnrt::bench {
namespace {

constexpr double kLeft = 70, kRight = 250, kTop = 40, kBottom = 60;

std::string short_number(double value) {
  char text[32];
  if (value >= 1e6) {
    std::snprintf(text, sizeof text, "%gM", value / 1e6);
  } else if (value >= 1000) {
    std::snprintf(text, sizeof text, "%gk", value / 1000);
  } else {
    std::snprintf(text, sizeof text, "%.3g", value);
  }
  return text;
}

// A logarithmic axis of whole decades around the values that it was shown.
class Axis {
 public:
  void show(double value) {
    if (!(value > 0) || !std::isfinite(value)) return;
    least_ = std::min(least_, value);
    most_ = std::max(most_, value);
  }
  void settle(double from, double to) {
    if (least_ > most_) least_ = most_ = 1;
    begin_ = std::floor(std::log10(least_) - 0.1);
    end_ = std::max(std::ceil(std::log10(most_) + 0.1), begin_ + 1);
    from_ = from;
    to_ = to;
  }
  double at(double value) const {
    return from_ + (to_ - from_) * (std::log10(value) - begin_) / (end_ - begin_);
  }
  double least() const { return std::pow(10, begin_); }
  double most() const { return std::pow(10, end_); }

 private:
  double least_ = INFINITY, most_ = 0;
  double begin_ = 0, end_ = 1, from_ = 0, to_ = 1;
};

class Plot {
 public:
  Plot(const SweepResult& result, const MachineLimits& limits) : result_(result), limits_(limits) {
    for (const Figure& f : result.figures) {
      if (f.threads == limits.threads) figures_.push_back(&f);
    }
  }

  Drawing draw() {
    drawing_.title = "Roofline, " + std::to_string(limits_.threads) +
                     (limits_.threads == 1 ? " thread" : " threads") +
                     (result_.machine.empty() ? "" : ", " + result_.machine);
    if (!result_.device.empty()) drawing_.title = "Roofline, " + result_.device;
    settle_axes();
    draw_grid();
    draw_roofs();
    draw_figures();
    text({kLeft + 40, 22}, drawing_.title, Anchor::kStart);
    return std::move(drawing_);
  }

 private:
  static double intensity(const Figure& f) { return f.work.flop / std::max(f.work.kv_bytes, 1.0); }
  double peak() const {
    double most = 0;
    for (const FlopLimit& unit : limits_.flops) most = std::max(most, unit.gflop_s);
    return most;
  }

  void settle_axes() {
    for (const Figure* f : figures_) {
      x_.show(intensity(*f));
      y_.show(f->gflop_s());
    }
    for (const FlopLimit& unit : limits_.flops) {
      x_.show(unit.gflop_s / limits_.memory_gb_s());  // the ridge
      y_.show(unit.gflop_s);
    }
    for (const ReadLimit& read : limits_.read)
      x_.show(peak() / read.gb_s / 2);  // some of each slope
    x_.settle(kLeft, drawing_.width - kRight);
    y_.settle(drawing_.height - kBottom, kTop);
  }

  void line(double x1, double y1, double x2, double y2, Paint paint, double width) {
    drawing_.shapes.push_back(Stroke{{x_.at(x1), y_.at(y1)}, {x_.at(x2), y_.at(y2)}, paint, width});
  }
  void text(Point at, const std::string& words, Anchor anchor, Paint paint = kInk) {
    drawing_.shapes.push_back(Label{at, words, anchor, paint});
  }

  void draw_grid() {
    for (double v = x_.least(); v < x_.most() * 1.01; v *= 10) {
      line(v, y_.least(), v, y_.most(), kFaint, 0.5);
      text({x_.at(v), drawing_.height - kBottom + 20}, short_number(v), Anchor::kMiddle);
    }
    for (double v = y_.least(); v < y_.most() * 1.01; v *= 10) {
      line(x_.least(), v, x_.most(), v, kFaint, 0.5);
      text({kLeft - 8, y_.at(v) + 4}, short_number(v), Anchor::kEnd);
    }
    text({x_.at(std::sqrt(x_.least() * x_.most())), drawing_.height - 14.0},
         "operations a byte of KV", Anchor::kMiddle);
    text({8, kTop - 18}, "GFLOP/s", Anchor::kStart);
  }

  // A slope for reading, from the left edge up to the highest peak, where it enters the picture.
  // Its label stands `along` it, 0 … 1: those of neighbours at different heights.
  void draw_slope(const ReadLimit& read, Paint paint, double width, double along) {
    const double begin = std::max(x_.least(), y_.least() / read.gb_s);
    const double top = limits_.flops.empty() ? y_.most() : peak();
    const double end = std::min(x_.most(), top / read.gb_s);
    if (begin >= end) return;
    line(begin, begin * read.gb_s, end, end * read.gb_s, paint, width);
    const double here = begin * std::pow(end / begin, along);
    text({x_.at(here) - 6, y_.at(here * read.gb_s) - 4},
         read.level + " " + short_number(std::round(read.gb_s)) + " GB/s", Anchor::kEnd);
  }

  void draw_roofs() {
    double along = 0.9;
    for (const ReadLimit& read : limits_.read) {
      const bool memory = &read == &limits_.read.back();
      draw_slope(read, memory ? kInk : kFaint, memory ? 2 : 1, along);
      along -= 0.15;
    }
    for (const FlopLimit& unit : limits_.flops) {
      const double ridge = std::clamp(unit.gflop_s / limits_.memory_gb_s(), x_.least(), x_.most());
      line(ridge, unit.gflop_s, x_.most(), unit.gflop_s, kInk, 2);
      text({x_.at(x_.most()) + 6, y_.at(unit.gflop_s) + 4},
           unit.name + " " + short_number(std::round(unit.gflop_s)), Anchor::kStart);
    }
  }

  static std::string words_of(const Figure& f) {
    char words[128];
    std::snprintf(words, sizeof words, "%.4g ms, %.4g GB/s, %.4g GFLOP/s", f.timing.median_ms,
                  f.kv_gb_s(), f.gflop_s());
    if (f.limit.name.empty()) return words;
    char share[32];
    std::snprintf(share, sizeof share, ", %.0f %% of ", 100 * f.share_of_limit());
    return std::string(words) + share + f.limit.name;
  }

  void draw_figures() {
    std::vector<std::string> series;
    for (const Figure* f : figures_) {
      const std::string name = f->format + ", " + f->plan.plugin;
      auto at = std::find(series.begin(), series.end(), name);
      if (at == series.end()) at = series.insert(at, name);
      const Paint paint = series_paint(static_cast<size_t>(at - series.begin()));
      drawing_.shapes.push_back(Dot{{x_.at(intensity(*f)), y_.at(f->gflop_s())},
                                    4.5,
                                    paint,
                                    f->shape.name + ", " + name + ": " + words_of(*f)});
    }
    double y = drawing_.height - kBottom - 18 * static_cast<double>(series.size()) + 10;
    for (size_t i = 0; i < series.size(); ++i, y += 18) {
      const double x = drawing_.width - kRight + 12;
      drawing_.shapes.push_back(Dot{{x, y - 4}, 4.5, series_paint(i), series[i]});
      text({x + 10, y}, series[i], Anchor::kStart);
    }
  }

  const SweepResult& result_;
  const MachineLimits& limits_;
  std::vector<const Figure*> figures_;
  Axis x_, y_;
  Drawing drawing_;
};

}  // namespace

Drawing roofline_plot(const SweepResult& result, const MachineLimits& limits) {
  return Plot(result, limits).draw();
}

}  // namespace attnrt::bench
