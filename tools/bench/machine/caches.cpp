#include "bench/machine/caches.hpp"

#include <algorithm>
#include <fstream>
#include <string>

namespace attnrt::bench {
namespace {

constexpr int64_t kMib = int64_t{1} << 20;
constexpr int64_t kLeastCold = 256 * kMib;
constexpr int64_t kMostCold = 1024 * kMib;

std::string read_word(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

// "48K", "2M"
int64_t parse_size(const std::string& text) {
  if (text.empty() || text[0] < '0' || text[0] > '9') return 0;
  const int64_t number = std::stoll(text);
  if (text.back() == 'K') return number * 1024;
  return text.back() == 'M' ? number * kMib : number;
}

}  // namespace

CacheSizes cache_sizes() {
  CacheSizes sizes;
  for (int index = 0; index < 8; ++index) {
    const std::string folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    const std::string level = read_word(folder + "level");
    if (level.empty() || read_word(folder + "type") == "Instruction") continue;
    const int64_t bytes = parse_size(read_word(folder + "size"));
    if (level == "1") sizes.l1 = bytes;
    if (level == "2") sizes.l2 = bytes;
    if (level == "3") sizes.l3 = bytes;
  }
  return sizes;
}

int64_t cold_bytes(const CacheSizes& caches, int64_t available_memory) {
  int64_t bytes = std::clamp(2 * caches.l3, kLeastCold, kMostCold);
  if (available_memory > 0) bytes = std::min(bytes, std::max(available_memory / 4, kLeastCold));
  return bytes;
}

}  // namespace attnrt::bench
