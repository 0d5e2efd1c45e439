#include "load/ld_cache.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "load/file_trust.hpp"

namespace attnrt::load {
namespace {

constexpr std::string_view kOldMagic = "ld.so-1.7.0";
constexpr std::string_view kNewMagic = "glibc-ld.so.cache1.1";
constexpr uint64_t kOldHeaderBytes = 16;  // magic, padding, u32 count
constexpr uint64_t kOldEntryBytes = 12;
constexpr uint64_t kMaxFile = 64ULL << 20;
constexpr int32_t kTypeMask = 0xff;
constexpr int32_t kTypeElfLibc6 = 3;

struct NewHeader {
  char magic[20];
  uint32_t count;
  uint32_t string_bytes;
  uint8_t flags;
  uint8_t padding[3];
  uint32_t extension_offset;
  uint32_t unused[3];
};
static_assert(sizeof(NewHeader) == 48);

struct NewEntry {
  int32_t flags;
  uint32_t name;  // offsets from the header
  uint32_t path;
  uint32_t os_version;
  uint64_t hwcap;
};
static_assert(sizeof(NewEntry) == 24);

std::optional<std::string> string_at(const std::vector<char>& bytes, uint64_t offset) {
  if (offset >= bytes.size()) return std::nullopt;
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(offset);
  const auto end = std::find(begin, bytes.end(), '\0');
  if (end == bytes.end()) return std::nullopt;
  return std::string(begin, end);
}

// Where the new format begins.
uint64_t new_header(const std::vector<char>& bytes) {
  const std::string_view text(bytes.data(), bytes.size());
  if (!text.starts_with(kOldMagic) || bytes.size() < kOldHeaderBytes) return 0;
  uint32_t count = 0;
  std::memcpy(&count, bytes.data() + 12, sizeof count);
  const uint64_t end = kOldHeaderBytes + kOldEntryBytes * count;
  return (end + 7) / 8 * 8;
}

}  // namespace

LdCache parse_ld_cache(const ByteSource& source) {
  LdCache cache;
  if (source.size() > kMaxFile) return cache;
  const auto bytes = read_table<char>(source, 0, source.size());
  if (!bytes) return cache;
  const uint64_t start = new_header(*bytes);
  const auto headers = read_table<NewHeader>(source, start, 1);
  if (!headers || std::string_view(headers->front().magic, 20) != kNewMagic) return cache;
  const auto entries =
      read_table<NewEntry>(source, start + sizeof(NewHeader), headers->front().count);
  if (!entries) return cache;
  for (const NewEntry& entry : *entries) {
    if ((entry.flags & kTypeMask) != kTypeElfLibc6) continue;
    auto name = string_at(*bytes, start + entry.name);
    auto path = string_at(*bytes, start + entry.path);
    if (name && path) cache[std::move(*name)].push_back(std::move(*path));
  }
  return cache;
}

const LdCache& system_ld_cache() {
  static const LdCache* const cache = [] {
    auto file = open_regular("/etc/ld.so.cache");
    return new LdCache(file ? parse_ld_cache(file->source()) : LdCache{});
  }();
  return *cache;
}

}  // namespace attnrt::load
