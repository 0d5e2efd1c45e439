// A progress bar on stderr, where that is a terminal; else nothing at all.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace attnrt::command {

class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();  // wipes its line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void prefix(std::string text) { prefix_ = std::move(text); }  // which run of how many
  void show(std::string_view what, double part);
  void wipe();

 private:
  bool terminal_;
  bool drawn_ = false;
  std::string prefix_;
  std::chrono::steady_clock::time_point last_{};
};

// One line without control characters, at most `width` columns.
std::string progress_line(std::string_view prefix, std::string_view what, double part, int width);

}  // namespace attnrt::command
