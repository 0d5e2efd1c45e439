#include "load/ld_cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace attnrt::load {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

template <class T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

struct Entry {
  int32_t flags;
  const char* name;
  const char* path;
};

// A cache as ldconfig writes it.
std::string new_cache(const std::vector<Entry>& entries) {
  std::string strings;
  const uint32_t base = static_cast<uint32_t>(48 + 24 * entries.size());
  std::string table;
  for (const Entry& entry : entries) {
    put(table, entry.flags);
    put(table, base + static_cast<uint32_t>(strings.size()));
    strings += std::string(entry.name) + '\0';
    put(table, base + static_cast<uint32_t>(strings.size()));
    strings += std::string(entry.path) + '\0';
    put(table, uint32_t{0});
    put(table, uint64_t{0});
  }
  std::string bytes = "glibc-ld.so.cache1.1";
  put(bytes, static_cast<uint32_t>(entries.size()));
  put(bytes, static_cast<uint32_t>(strings.size()));
  bytes.append(20, '\0');
  return bytes + table + strings;
}

LdCache parse(const std::string& bytes) {
  return parse_ld_cache(SpanSource(std::as_bytes(std::span(bytes))));
}

const std::vector<Entry> kEntries = {
    {0x0303, "libone.so.1", "/lib/libone.so.1"},
    {0x0303, "libone.so.1", "/opt/libone.so.1"},
    {0x0301, "libold.so.5", "/lib/libold.so.5"},  // of libc 5: never loaded
};

TEST(LdCache, NamesLeadToPathsInOrder) {
  const LdCache cache = parse(new_cache(kEntries));
  ASSERT_EQ(cache.size(), 1u);
  EXPECT_THAT(cache.at("libone.so.1"), ElementsAre("/lib/libone.so.1", "/opt/libone.so.1"));
}

TEST(LdCache, TheNewFormatIsFoundBehindTheOld) {
  std::string bytes("ld.so-1.7.0\0", 12);
  put(bytes, uint32_t{1});
  bytes.append(12 + 4, 'x');  // one old entry, then up to a multiple of 8
  const LdCache cache = parse(bytes + new_cache(kEntries));
  EXPECT_EQ(cache.size(), 1u);
}

TEST(LdCache, WhatIsNoCacheIsEmpty) {
  for (const char* bytes :
       {"", "x", "ld.so-1.7.0", "glibc-ld.so.cache1.1", "glibc-ld.so.cache9.9"}) {
    EXPECT_THAT(parse(bytes), IsEmpty()) << bytes;
  }
}

TEST(LdCache, AForgedCountOrOffsetIsNotFollowed) {
  std::string count = new_cache(kEntries);
  count[20 + 3] = '\x7f';
  EXPECT_THAT(parse(count), IsEmpty());
  std::string offset = new_cache(kEntries);
  for (size_t i = 0; i < 4; ++i) offset[48 + 4 + i] = '\xff';
  EXPECT_THAT(parse(offset).at("libone.so.1"), ElementsAre("/opt/libone.so.1"));
}

TEST(LdCache, EveryPrefixIsReadWithoutHarm) {
  const std::string whole = new_cache(kEntries);
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::vector<char> prefix(whole.begin(), whole.begin() + static_cast<long>(length));
    EXPECT_LE(parse_ld_cache(SpanSource(std::as_bytes(std::span(prefix)))).size(), 1u);
  }
}

TEST(LdCache, TheSystemsCacheKnowsTheCLibrary) {
  if (!std::filesystem::exists("/etc/ld.so.cache"))
    GTEST_SKIP() << "this system has no ld.so.cache";
  const auto known = system_ld_cache().find("libc.so.6");
  ASSERT_NE(known, system_ld_cache().end());
  EXPECT_THAT(known->second, Not(IsEmpty()));
}

}  // namespace
}  // namespace attnrt::load
