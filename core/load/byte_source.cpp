#include "load/byte_source.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace attnrt::load {

bool SpanSource::read(uint64_t offset, std::span<std::byte> out) const {
  if (!within(offset, out.size(), bytes_.size())) return false;
  const auto from = bytes_.subspan(offset, out.size());
  std::copy(from.begin(), from.end(), out.begin());
  return true;
}

bool FileSource::read(uint64_t offset, std::span<std::byte> out) const {
  if (!within(offset, out.size(), size_)) return false;
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out = out.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return true;
}

}  // namespace attnrt::load
