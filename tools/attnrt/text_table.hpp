// Aligned columns for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace attnrt::command {

class TextTable {
 public:
  // Columns whose header begins with '>' are aligned to the right.
  explicit TextTable(const std::vector<std::string>& header);
  void add(std::vector<std::string> row);  // shorter rows end early
  std::string to_string() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

// Code points, which is what our own texts take in columns.
size_t display_width(const std::string& text);

// "16384" -> "16 KiB", exact multiples only; else "584 B".
std::string bytes_text(int64_t bytes);
// At most so many significant digits: 0.000123 -> "1.2e-04"
std::string number_text(double value, int digits);
// "0-4, 7, 9-11"
std::string ranges_text(const std::vector<int32_t>& sorted);
std::string join(const std::vector<std::string>& parts, const std::string& separator);

}  // namespace attnrt::command
