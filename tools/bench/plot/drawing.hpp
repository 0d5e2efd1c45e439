// A drawing as plain shapes, for every kind of picture: SVG in a page, PNG in a file. Units are
// pixels, y grows downwards.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "attnrt/result.hpp"

namespace attnrt::bench {

// 0: ink (what text is written in), 1: faint, then the series' colours, which repeat.
using Paint = uint8_t;
inline constexpr Paint kInk = 0;
inline constexpr Paint kFaint = 1;
inline constexpr Paint kFirstSeries = 2;
inline constexpr Paint kSeriesColours = 8;
Paint series_paint(size_t index);

struct Point {
  double x = 0;
  double y = 0;
};
struct Stroke {
  Point from, to;
  Paint paint = kInk;
  double width = 1;
};
struct Dot {
  Point at;
  double radius = 4;
  Paint paint = kInk;
  std::string title = {};  // shown where the picture can, when pointed at
};
enum class Anchor : uint8_t { kStart, kMiddle, kEnd };
struct Label {
  Point at;  // on the text's base line
  std::string text;
  Anchor anchor = Anchor::kStart;
  Paint paint = kInk;
};

struct Drawing {
  int32_t width = 960;
  int32_t height = 600;
  std::string title;
  std::vector<std::variant<Stroke, Dot, Label>> shapes;  // later ones lie on top
};

// An <svg> element that stands by itself: no style, script or address outside it.
std::string to_svg(const Drawing& drawing);

// Whether this build has PNG. kInvalid: it has not.
Status check_png(const std::string& where);
// Errors: the file can't be written, or as check_png.
Status write_png(const Drawing& drawing, const std::string& file);

// 24-bit RGB, row by row: what write_png writes.
std::vector<uint8_t> rasterise(const Drawing& drawing);

struct Colour {
  uint8_t r = 0, g = 0, b = 0;
};
Colour colour_of(Paint paint);  // on white

}  // namespace attnrt::bench
