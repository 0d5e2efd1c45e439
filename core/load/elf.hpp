// A small ELF64 reader: what attnrt must know of a shared object before any of its code may run.
//
// Every offset and count of the file is checked against the file's size before it is used; whatever
// the bytes are, the answer is a value or a refusal with its reason. Pure but for the source.
#pragma once

#include <elf.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "load/byte_source.hpp"
#include "load/refusal.hpp"

namespace attnrt::load {

struct ElfImage {
  Elf64_Ehdr header;
  std::vector<Elf64_Phdr> segments;
};
// Refuses what is no 64-bit little-endian shared object of this machine.
Checked<ElfImage> read_image(const ByteSource& source);

// What the dynamic loader would look for; from PT_DYNAMIC, as the loader reads it.
struct ElfDynamic {
  std::vector<std::string> needed;
  std::optional<std::string> rpath;
  std::optional<std::string> runpath;
};
Checked<ElfDynamic> read_dynamic(const ByteSource& source, const ElfImage& image);

struct ElfSection {
  std::string name;
  Elf64_Shdr header;
};
Checked<std::vector<ElfSection>> read_sections(const ByteSource& source, const ElfImage& image);

// A symbol that the object defines and exports.
struct ElfExport {
  std::string name;
  uint64_t address;
  unsigned char type;  // STT_*
};
Checked<std::vector<ElfExport>> read_exports(const ByteSource& source,
                                             const std::vector<ElfSection>& sections);

}  // namespace attnrt::load
