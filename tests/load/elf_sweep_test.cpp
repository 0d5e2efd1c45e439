// Sweeps over a whole plugin: every length that it may be cut off at, every byte that may be wrong.
// The reader must answer each with a value or a reason; the sanitizers watch its every access.
#include <gtest/gtest.h>

#include "attnrt/plugin.h"
#include "load/elf_manifest.hpp"
#include "support.hpp"

namespace attnrt::load {
namespace {

using testing::Bytes;
using testing::ElfBytes;

// Stripped, so that the sweep is over what matters.
Bytes small_plugin() {
  const testing::TempFolder folder;
  const std::string path = folder / "small.so";
  testing::copy_fixture("good", path);
  if (std::system((std::string(ATTNRT_STRIP) + " -s " + path).c_str()) != 0) {
    throw std::runtime_error("strip failed");
  }
  return testing::read_bytes(path);
}

TEST(ElfSweep, EveryPrefixOfAPluginIsRefused) {
  const Bytes whole = small_plugin();
  const auto bytes = std::as_bytes(std::span(whole));
  ASSERT_TRUE(inspect_plugin(SpanSource(bytes)));
  for (size_t length = 0; length < whole.size(); ++length) {
    // A copy of its own: a read beyond it is one that the sanitizer sees.
    const std::vector<std::byte> prefix(bytes.begin(), bytes.begin() + static_cast<long>(length));
    const auto image = inspect_plugin(SpanSource(prefix));
    ASSERT_FALSE(image) << "cut off after " << length << " of " << whole.size() << " bytes";
    ASSERT_FALSE(image.error().error.found.empty());
  }
}

TEST(ElfSweep, NoWrongByteLeadsTheReaderAstray) {
  const Bytes whole = small_plugin();
  const auto original = inspect_plugin(SpanSource(std::as_bytes(std::span(whole))));
  ASSERT_TRUE(original);
  const Elf64_Shdr section = ElfBytes(whole).section(ATTNRT_MANIFEST_SECTION);
  Bytes damaged = whole;
  const SpanSource source(std::as_bytes(std::span(damaged)));
  size_t refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    const bool in_manifest = at >= section.sh_offset && at < section.sh_offset + section.sh_size;
    for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
      damaged[at] = static_cast<char>(static_cast<unsigned char>(whole[at]) ^ flip);
      const auto image = inspect_plugin(source);
      if (!image) {
        ++refused;
        ASSERT_FALSE(image.error().error.found.empty()) << "byte " << at;
      } else if (!in_manifest) {
        ASSERT_EQ(image->manifest.text, original->manifest.text) << "byte " << at;
      }
    }
    damaged[at] = whole[at];
  }
  // The headers alone are more bytes than these; most others mean nothing to the reader.
  EXPECT_GT(refused, 200u);
}

}  // namespace
}  // namespace attnrt::load
