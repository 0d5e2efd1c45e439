#include "load/elf_manifest.hpp"

#include <algorithm>
#include <cstring>

#include "attnrt/plugin.h"
#include "format/utf8.hpp"

namespace attnrt::load {
namespace {

constexpr uint64_t kHeaderBytes = sizeof(attnrt_manifest_header);
constexpr uint64_t kMaxSection = kHeaderBytes + ATTNRT_MANIFEST_MAX_BYTES;
constexpr const char* kEmbed =
    "build the plugin with attnrt_add_plugin, or `attnrt manifest embed`";

Refusal bad_section(std::string expected, std::string found) {
  return refuse(RefusalKind::kManifestSection, std::move(expected),
                std::string("section " ATTNRT_MANIFEST_SECTION " ") + std::move(found), kEmbed);
}

Checked<const ElfSection*> find_section(const std::vector<ElfSection>& sections) {
  const ElfSection* found = nullptr;
  for (const ElfSection& section : sections) {
    if (section.name != ATTNRT_MANIFEST_SECTION) continue;
    if (found != nullptr) return bad_section("one manifest", "stands there twice");
    found = &section;
  }
  if (found == nullptr) {
    return refuse(RefusalKind::kNoManifest, "a section " ATTNRT_MANIFEST_SECTION, "there is none",
                  kEmbed);
  }
  return found;
}

Check check_section(const Elf64_Shdr& section) {
  if (section.sh_type != SHT_PROGBITS || (section.sh_flags & SHF_ALLOC) == 0) {
    return bad_section("a section that is mapped into memory",
                       "is not mapped (one added by objcopy is not)");
  }
  if ((section.sh_flags & SHF_WRITE) != 0) {
    return bad_section("a read-only section", "is writable");
  }
  if ((section.sh_flags & SHF_COMPRESSED) != 0) {
    return bad_section("plain text", "is compressed");
  }
  if (section.sh_size < kHeaderBytes) {
    return bad_section("a header of " + std::to_string(kHeaderBytes) + " bytes",
                       "has " + std::to_string(section.sh_size) + " bytes");
  }
  if (section.sh_size > kMaxSection) {
    return bad_section("at most " + std::to_string(ATTNRT_MANIFEST_MAX_BYTES) + " bytes of text",
                       "has " + std::to_string(section.sh_size) + " bytes");
  }
  return Done{};
}

// The bytes that were read must be those that will be mapped, and mapped without write access.
Check check_mapping(const ElfImage& image, const Elf64_Shdr& section) {
  for (const Elf64_Phdr& segment : image.segments) {
    if (segment.p_type != PT_LOAD || section.sh_addr < segment.p_vaddr) continue;
    const uint64_t into = section.sh_addr - segment.p_vaddr;
    if (!within(into, section.sh_size, segment.p_filesz)) continue;
    if ((segment.p_flags & PF_W) != 0)
      return bad_section("a read-only section", "is mapped writable");
    if (section.sh_offset - segment.p_offset != into) break;
    return Done{};
  }
  return bad_section("a section within a loaded segment", "is not part of one");
}

Checked<EmbeddedManifest> split(std::string bytes) {
  attnrt_manifest_header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, ATTNRT_MANIFEST_MAGIC, sizeof header.magic) != 0) {
    return bad_section("the magic bytes " ATTNRT_MANIFEST_MAGIC, "begins with other bytes");
  }
  if (header.version != ATTNRT_MANIFEST_VERSION) {
    return bad_section("version " + std::to_string(ATTNRT_MANIFEST_VERSION),
                       "has version " + std::to_string(header.version));
  }
  const uint64_t room = bytes.size() - kHeaderBytes;
  if (header.bytes > room) {
    return bad_section(
        "as much text as its header says, " + std::to_string(header.bytes) + " bytes",
        "has room for " + std::to_string(room));
  }
  const std::string_view rest = std::string_view(bytes).substr(kHeaderBytes + header.bytes);
  // Two objects that each bring a manifest are joined by the linker into one section.
  if (rest.find_first_not_of('\0') != std::string_view::npos) {
    return bad_section("one manifest", rest.find(ATTNRT_MANIFEST_MAGIC) != std::string_view::npos
                                           ? "holds more than one"
                                           : "goes on for " + std::to_string(rest.size()) +
                                                 " bytes behind its text");
  }
  EmbeddedManifest manifest;
  manifest.text = bytes.substr(kHeaderBytes, header.bytes);
  manifest.bytes = std::move(bytes);
  if (first_non_text(manifest.text)) return not_plain_text();
  return manifest;
}

Check check_exports(const std::vector<ElfExport>& exports, uint64_t manifest_address) {
  const auto find = [&](std::string_view name) {
    return std::find_if(exports.begin(), exports.end(),
                        [&](const ElfExport& e) { return e.name == name; });
  };
  const auto manifest = find(ATTNRT_MANIFEST_SYMBOL);
  if (manifest == exports.end() || manifest->address != manifest_address ||
      (manifest->type != STT_OBJECT && manifest->type != STT_NOTYPE)) {
    return refuse(RefusalKind::kManifestSection,
                  "the exported symbol " ATTNRT_MANIFEST_SYMBOL " at the manifest's first byte",
                  manifest == exports.end() ? "it is not exported" : "it names something else",
                  kEmbed);
  }
  const auto entry = find(ATTNRT_ENTRY_SYMBOL);
  if (entry == exports.end() || entry->type != STT_FUNC) {
    return refuse(RefusalKind::kNoEntry, "the exported function " ATTNRT_ENTRY_SYMBOL,
                  entry == exports.end() ? "it is not exported" : "the symbol is no function",
                  "define it with ATTNRT_EXPORT, with C linkage");
  }
  return Done{};
}

}  // namespace

Checked<PluginImage> inspect_plugin(const ByteSource& source) {
  auto image = read_image(source);
  if (!image) return image.error();
  auto sections = read_sections(source, *image);
  if (!sections) return sections.error();
  const auto section = find_section(*sections);
  if (!section) return section.error();
  const Elf64_Shdr& header = (*section)->header;
  if (auto checked = check_section(header); !checked) return checked.error();
  if (auto checked = check_mapping(*image, header); !checked) return checked.error();

  const auto bytes = read_table<char>(source, header.sh_offset, header.sh_size);
  if (!bytes) {
    return refuse(RefusalKind::kMalformedElf, "an intact shared object",
                  "its manifest lies outside the file; it may be cut off",
                  "install or build the plugin again");
  }
  auto manifest = split(std::string(bytes->begin(), bytes->end()));
  if (!manifest) return manifest.error();
  auto exports = read_exports(source, *sections);
  if (!exports) return exports.error();
  if (auto checked = check_exports(*exports, header.sh_addr); !checked) return checked.error();
  auto dynamic = read_dynamic(source, *image);
  if (!dynamic) return dynamic.error();
  return PluginImage{std::move(*manifest), std::move(*dynamic)};
}

}  // namespace attnrt::load
