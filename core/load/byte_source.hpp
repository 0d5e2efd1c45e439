// Bytes that can be read at an offset: a file by its descriptor, or memory.
//
// The ELF reader asks for the few tables that it needs; a plugin of a gigabyte is not read whole,
// and a file that shrinks meanwhile is a failed read, not a fault as with mmap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace attnrt::load {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  // False: not all of [offset, offset + out.size()) is there.
  virtual bool read(uint64_t offset, std::span<std::byte> out) const = 0;
};

class SpanSource final : public ByteSource {
 public:
  explicit SpanSource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  bool read(uint64_t offset, std::span<std::byte> out) const override;

 private:
  std::span<const std::byte> bytes_;
};

// The descriptor stays the caller's.
class FileSource final : public ByteSource {
 public:
  FileSource(int descriptor, uint64_t size) : descriptor_(descriptor), size_(size) {}
  uint64_t size() const override { return size_; }
  bool read(uint64_t offset, std::span<std::byte> out) const override;

 private:
  int descriptor_;
  uint64_t size_;
};

inline bool within(uint64_t offset, uint64_t bytes, uint64_t size) {
  return offset <= size && bytes <= size - offset;
}

// `count` records of a type without pointers; empty if they are not all there.
template <class T>
std::optional<std::vector<T>> read_table(const ByteSource& source, uint64_t offset,
                                         uint64_t count) {
  static_assert(std::is_trivially_copyable_v<T>);
  // Before any allocation: a forged count must not become one.
  if (count > source.size() / sizeof(T)) return std::nullopt;
  std::vector<T> table(count);
  if (!source.read(offset, std::as_writable_bytes(std::span(table)))) return std::nullopt;
  return table;
}

}  // namespace attnrt::load
