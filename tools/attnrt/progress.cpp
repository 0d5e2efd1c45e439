#include "attnrt/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "attnrt/result.hpp"

namespace attnrt::command {
namespace {

constexpr int kBar = 24;

int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string progress_line(std::string_view prefix, std::string_view what, double part, int width) {
  part = std::isfinite(part) ? std::clamp(part, 0.0, 1.0) : 0.0;
  const int full = static_cast<int>(part * kBar);
  std::string line = "[" + std::string(size_t(full), '#') + std::string(size_t(kBar - full), '.');
  char percent[8];
  std::snprintf(percent, sizeof percent, "] %3d%%", static_cast<int>(part * 100));
  line += percent;
  for (std::string_view text : {prefix, what}) {
    if (!text.empty()) line += " " + printable(text);
  }
  size_t end = std::min(line.size(), size_t(std::max(width - 1, 8)));
  // Never within a character: half of one is no UTF-8.
  while (end < line.size() && (static_cast<unsigned char>(line[end]) & 0xc0u) == 0x80u) --end;
  line.resize(end);
  return line;
}

ProgressBar::ProgressBar() : terminal_(isatty(STDERR_FILENO) == 1) {}
ProgressBar::~ProgressBar() {
  wipe();
}

void ProgressBar::show(std::string_view what, double part) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && now - last_ < std::chrono::milliseconds(80)) return;
  last_ = now;
  drawn_ = true;
  const std::string line = progress_line(prefix_, what, part, terminal_width());
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
}

void ProgressBar::wipe() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace attnrt::command
