#include <array>
#include <cstdio>

#include "bench/plot/drawing.hpp"

namespace attnrt::bench {
namespace {

// Colours that most kinds of colour blindness tell apart (Okabe and Ito's).
constexpr std::array<Colour, kFirstSeries + kSeriesColours> kColours{{{30, 30, 30},
                                                                      {190, 190, 190},
                                                                      {0, 114, 178},
                                                                      {213, 94, 0},
                                                                      {0, 158, 115},
                                                                      {204, 121, 167},
                                                                      {230, 159, 0},
                                                                      {86, 180, 233},
                                                                      {150, 60, 40},
                                                                      {120, 120, 120}}};

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// Ink takes the page's colour, so that it is read on dark pages too.
std::string paint_text(Paint paint) {
  if (paint == kInk) return "currentColor";
  const Colour c = colour_of(paint);
  char text[16];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", c.r, c.g, c.b);
  return text;
}

std::string element(const Stroke& s) {
  return "<line x1=\"" + number(s.from.x) + "\" y1=\"" + number(s.from.y) + "\" x2=\"" +
         number(s.to.x) + "\" y2=\"" + number(s.to.y) + "\" stroke=\"" + paint_text(s.paint) +
         "\" stroke-width=\"" + number(s.width) + "\"/>\n";
}

std::string element(const Dot& d) {
  return "<circle cx=\"" + number(d.at.x) + "\" cy=\"" + number(d.at.y) + "\" r=\"" +
         number(d.radius) + "\" fill=\"" + paint_text(d.paint) + "\"><title>" + escape(d.title) +
         "</title></circle>\n";
}

std::string element(const Label& l) {
  const char* anchor = l.anchor == Anchor::kStart    ? "start"
                       : l.anchor == Anchor::kMiddle ? "middle"
                                                     : "end";
  return "<text x=\"" + number(l.at.x) + "\" y=\"" + number(l.at.y) + "\" text-anchor=\"" + anchor +
         "\" fill=\"" + paint_text(l.paint) + "\">" + escape(l.text) + "</text>\n";
}

}  // namespace

Paint series_paint(size_t index) {
  return static_cast<Paint>(kFirstSeries + index % kSeriesColours);
}

Colour colour_of(Paint paint) {
  return kColours[paint < kColours.size() ? paint : kInk];
}

std::string to_svg(const Drawing& drawing) {
  const std::string w = std::to_string(drawing.width);
  const std::string h = std::to_string(drawing.height);
  std::string svg = "<svg viewBox=\"0 0 " + w + " " + h + "\" width=\"" + w + "\" height=\"" + h +
                    "\" role=\"img\" font-family=\"system-ui,sans-serif\" font-size=\"13\">\n"
                    "<title>" +
                    escape(drawing.title) + "</title>\n";
  for (const auto& shape : drawing.shapes) {
    svg += std::visit([](const auto& s) { return element(s); }, shape);
  }
  return svg + "</svg>\n";
}

}  // namespace attnrt::bench
