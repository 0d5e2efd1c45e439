// Drawings as pixels: lines and dots with smooth edges, text in dots.
#include <algorithm>
#include <cmath>

#include "bench/plot/drawing.hpp"
#include "bench/plot/font.hpp"

namespace attnrt::bench {
namespace {

constexpr double kGlyphScale = 1.5;  // pixels a dot
constexpr int kGlyphColumns = 6;     // with the gap behind it
constexpr int kBaseline = 7;         // rows above the base line

class Canvas {
 public:
  Canvas(int32_t width, int32_t height)
      : width_(width), height_(height), rgb_(static_cast<size_t>(width) * height * 3, 255) {}

  // Everything nearer to the segment than `radius`.
  void segment(Point a, Point b, double radius, Colour colour) {
    const double reach = radius + 1;
    each(std::min(a.x, b.x) - reach, std::max(a.x, b.x) + reach, std::min(a.y, b.y) - reach,
         std::max(a.y, b.y) + reach, [&](int32_t x, int32_t y) {
           blend(x, y, radius + 0.5 - distance({x + 0.5, y + 0.5}, a, b), colour);
         });
  }

  // What of each pixel the rectangle covers.
  void box(Point corner, double side, Colour colour) {
    each(corner.x, corner.x + side, corner.y, corner.y + side, [&](int32_t x, int32_t y) {
      blend(x, y, overlap(x, corner.x, side) * overlap(y, corner.y, side), colour);
    });
  }

  std::vector<uint8_t> take() { return std::move(rgb_); }

 private:
  static double distance(Point p, Point a, Point b) {
    const double dx = b.x - a.x, dy = b.y - a.y;
    const double length = dx * dx + dy * dy;
    const double along = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
    const double t = std::clamp(along, 0.0, 1.0);
    return std::hypot(p.x - (a.x + t * dx), p.y - (a.y + t * dy));
  }
  static double overlap(int32_t pixel, double begin, double size) {
    return std::clamp(std::min(begin + size, pixel + 1.0) - std::max(begin, double(pixel)), 0.0,
                      1.0);
  }

  template <class Visit>
  void each(double left, double right, double top, double bottom, Visit&& visit) {
    const auto clip = [](double v, int32_t size) {
      return static_cast<int32_t>(std::clamp(v, 0.0, static_cast<double>(size)));
    };
    for (int32_t y = clip(std::floor(top), height_); y < clip(std::ceil(bottom), height_); ++y) {
      for (int32_t x = clip(std::floor(left), width_); x < clip(std::ceil(right), width_); ++x) {
        visit(x, y);
      }
    }
  }

  void blend(int32_t x, int32_t y, double cover, Colour colour) {
    const double a = std::clamp(cover, 0.0, 1.0);
    uint8_t* p =
        &rgb_[(static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x)) * 3];
    const uint8_t ink[3] = {colour.r, colour.g, colour.b};
    for (int i = 0; i < 3; ++i) {
      p[i] = static_cast<uint8_t>(std::lround(p[i] * (1 - a) + ink[i] * a));
    }
  }

  int32_t width_, height_;
  std::vector<uint8_t> rgb_;
};

// The bytes of UTF-8 beyond ASCII are one blank a character.
std::string ascii(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) out += c;
    if (byte >= 0xc0) out += ' ';
  }
  return out;
}

void draw(Canvas& canvas, const Stroke& s) {
  canvas.segment(s.from, s.to, s.width / 2, colour_of(s.paint));
}

void draw(Canvas& canvas, const Dot& d) {
  canvas.segment(d.at, d.at, d.radius, colour_of(d.paint));
}

void draw(Canvas& canvas, const Label& l) {
  const std::string text = ascii(l.text);
  const double width = static_cast<double>(text.size()) * kGlyphColumns * kGlyphScale;
  double x = l.at.x;
  if (l.anchor == Anchor::kMiddle) x -= width / 2;
  if (l.anchor == Anchor::kEnd) x -= width;
  for (const char c : text) {
    const auto columns = glyph(c);
    for (size_t column = 0; column < columns.size(); ++column) {
      for (int row = 0; row < 8; ++row) {
        if ((columns[column] >> row & 1) == 0) continue;
        canvas.box({x + static_cast<double>(column) * kGlyphScale,
                    l.at.y + (row - kBaseline) * kGlyphScale},
                   kGlyphScale, colour_of(l.paint));
      }
    }
    x += kGlyphColumns * kGlyphScale;
  }
}

}  // namespace

std::vector<uint8_t> rasterise(const Drawing& drawing) {
  Canvas canvas(drawing.width, drawing.height);
  for (const auto& shape : drawing.shapes) {
    std::visit([&](const auto& s) { draw(canvas, s); }, shape);
  }
  return canvas.take();
}

}  // namespace attnrt::bench
