#include "bench/machine/huge_pages.hpp"

#include <sys/mman.h>

#include <fstream>
#include <new>
#include <sstream>
#include <string>

namespace attnrt::bench {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// "AnonHugePages:   2048 kB" -> 2097152, if the line has that key.
bool read_kib(const std::string& line, const char* key, double& bytes) {
  std::istringstream words(line);
  std::string found;
  double kib = 0;
  if (!(words >> found >> kib) || found != key) return false;
  bytes = kib * 1024;
  return true;
}

// "7f00-7f10 rw-p …": the head of a mapping in smaps.
bool is_head(const std::string& line, uintptr_t& begin, uintptr_t& end) {
  std::istringstream words(line);
  char dash = 0;
  return static_cast<bool>(words >> std::hex >> begin >> dash >> end) && dash == '-';
}

}  // namespace

HugeBuffer::HugeBuffer(size_t bytes) : bytes_(bytes) {
  mapped_bytes_ = (bytes + kHugePage - 1) / kHugePage * kHugePage + kHugePage;
  mapped_ =
      mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped_ == MAP_FAILED) throw std::bad_alloc();
  const auto begin = reinterpret_cast<uintptr_t>(mapped_);
  const uintptr_t aligned = (begin + kHugePage - 1) / kHugePage * kHugePage;
  data_ = static_cast<uint8_t*>(mapped_) + (aligned - begin);
  // Advice only: without it the memory is as good, if slower.
  static_cast<void>(madvise(mapped_, mapped_bytes_, MADV_HUGEPAGE));
}

HugeBuffer::~HugeBuffer() {
  munmap(mapped_, mapped_bytes_);
}

double huge_page_share(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  double resident = -1;
  double huge = -1;
  for (std::string line; std::getline(smaps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    if (is_head(line, begin, end)) {
      if (inside) break;
      inside = begin <= wanted && wanted < end;
    } else if (inside) {
      if (!read_kib(line, "Rss:", resident)) read_kib(line, "AnonHugePages:", huge);
    }
  }
  return resident > 0 && huge >= 0 ? huge / resident : -1;
}

int64_t available_memory() {
  std::ifstream info("/proc/meminfo");
  double bytes = 0;
  for (std::string line; std::getline(info, line);) {
    if (read_kib(line, "MemAvailable:", bytes)) break;
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace attnrt::bench
