// Memory on huge pages, and whether the system gave them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace attnrt::bench {

// Zeroed memory that asks for huge pages. Throws std::bad_alloc.
class HugeBuffer {
 public:
  explicit HugeBuffer(size_t bytes);
  ~HugeBuffer();
  HugeBuffer(const HugeBuffer&) = delete;
  HugeBuffer& operator=(const HugeBuffer&) = delete;
  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  uint8_t* data_ = nullptr;  // at a huge page's edge
  size_t bytes_;
  void* mapped_ = nullptr;
  size_t mapped_bytes_ = 0;
};

// The part (0 … 1) of the mapping around `address` that stands on huge pages, by the kernel's own
// count; -1: the system does not tell.
double huge_page_share(const void* address);

// Bytes that the system could still give; 0: it does not tell.
int64_t available_memory();

}  // namespace attnrt::bench
