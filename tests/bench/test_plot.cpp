// The roofline as SVG and as pixels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bench/plot/font.hpp"
#include "bench/plot/roofline_plot.hpp"
#include "tests/bench/figures.hpp"

namespace attnrt::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

SweepResult result() {
  SweepResult r;
  r.machine = "a <fast> & \"cheap\" machine";
  r.limits = {test::limits()};
  r.figures = {test::figure("first", "cpu", 1), test::figure("second", "other", 2)};
  return r;
}

TEST(RooflinePlot, ShowsEveryRoofAndEveryFigure) {
  const std::string svg = to_svg(roofline_plot(result(), result().limits[0]));
  for (const char* word : {"memory 50 GB/s", "L1 400 GB/s", "f32 FMA 200", "bf16 dot 400",
                           "first, bf16, cpu", "second, bf16, other", "operations a byte of KV"}) {
    EXPECT_THAT(svg, HasSubstr(word));
  }
  EXPECT_THAT(svg, HasSubstr("&lt;fast&gt; &amp; &quot;cheap&quot;"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(RooflinePlot, KeepsEverythingInsideThePicture) {
  const Drawing drawing = roofline_plot(result(), result().limits[0]);
  const auto inside = [&](Point p) {
    return p.x >= 0 && p.x <= drawing.width && p.y >= 0 && p.y <= drawing.height;
  };
  for (const auto& shape : drawing.shapes) {
    if (const auto* s = std::get_if<Stroke>(&shape)) {
      EXPECT_TRUE(inside(s->from) && inside(s->to));
    } else if (const auto* d = std::get_if<Dot>(&shape)) {
      EXPECT_TRUE(inside(d->at)) << d->title;
    } else {
      EXPECT_TRUE(inside(std::get<Label>(shape).at)) << std::get<Label>(shape).text;
    }
  }
}

TEST(RooflinePlot, ShowsFiguresOfItsOwnNumberOfThreadsOnly) {
  const std::string svg = to_svg(roofline_plot(result(), test::limits(1)));
  EXPECT_THAT(svg, Not(HasSubstr("first")));
}

TEST(Raster, StrokesDotsAndLettersLeaveTheirColours) {
  Drawing d;
  d.width = 60;
  d.height = 40;
  d.shapes = {Stroke{{0, 10}, {60, 10}, kInk, 2}, Dot{{30, 25}, 4, series_paint(0)},
              Label{{2, 38}, "H", Anchor::kStart, kInk}};
  const std::vector<uint8_t> rgb = rasterise(d);
  ASSERT_EQ(rgb.size(), 60u * 40 * 3);
  const auto at = [&](size_t x, size_t y) { return rgb[(y * 60 + x) * 3]; };
  EXPECT_EQ(at(30, 2), 255) << "paper";
  EXPECT_LT(at(30, 10), 60) << "the line";
  EXPECT_EQ(at(30, 25), colour_of(series_paint(0)).r) << "the dot";
  EXPECT_LT(at(2, 32), 60) << "the letter's left bar";
}

TEST(Raster, ShapesBeyondTheEdgesAreCutOff) {
  Drawing d;
  d.width = 8;
  d.height = 8;
  d.shapes = {Stroke{{-50, -50}, {90, 70}, kInk, 3}, Dot{{-3, 9}, 5, kInk},
              Label{{-20, 100}, "cut off", Anchor::kEnd}};
  EXPECT_EQ(rasterise(d).size(), 8u * 8 * 3);
}

TEST(Font, EveryPrintableLetterButTheBlankHasDots) {
  for (char c = '!'; c <= '~'; ++c) {
    const auto columns = glyph(c);
    EXPECT_TRUE(std::any_of(columns.begin(), columns.end(), [](uint8_t x) { return x != 0; })) << c;
  }
  EXPECT_EQ(glyph(' '), glyph('\x07'));
}

TEST(Png, IsWrittenOrRefusedWithAWay) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("attnrt_roofline_test_" + std::to_string(getpid()) + ".png");
  const Status written = write_png(roofline_plot(result(), result().limits[0]), file.string());
  if (!written.ok()) {
    EXPECT_THAT(to_string(written.error()), HasSubstr("libpng"));
    GTEST_SKIP() << "a build without libpng";
  }
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::filesystem::remove(file);
  EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_THAT(bytes, HasSubstr("IEND"));
  EXPECT_FALSE(write_png(Drawing{}, "/nowhere/at/all.png").ok());
}

}  // namespace
}  // namespace attnrt::bench
