#include "load/elf.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace attnrt::load {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
#else
#error "attnrt loads plugins on x86-64 and AArch64 only"
#endif

constexpr uint64_t kMaxStringTable = 64ULL << 20;
constexpr uint64_t kMaxSymbols = 1ULL << 20;
constexpr uint64_t kMaxDynamicEntries = 1ULL << 16;
constexpr uint64_t kMaxStringBytes = 4096;
constexpr const char* kRebuild = "install or build the plugin again";

std::string machine_name(Elf64_Half machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "AArch64";
    case EM_386:
      return "i386";
    case EM_ARM:
      return "ARM";
    case EM_PPC64:
      return "POWER";
    case EM_RISCV:
      return "RISC-V";
    case EM_S390:
      return "s390";
    default:
      return "machine " + std::to_string(machine);
  }
}

Refusal malformed(std::string found) {
  return refuse(RefusalKind::kMalformedElf, "an intact shared object", std::move(found), kRebuild);
}

Refusal outside(std::string what, const ByteSource& source) {
  return malformed("its " + std::move(what) + " lie outside the file, which has " +
                   std::to_string(source.size()) + " bytes; it may be cut off");
}

Refusal foreign(std::string expected, std::string found) {
  return refuse(RefusalKind::kForeignElf, std::move(expected), std::move(found),
                "build the plugin for this machine");
}

Check check_identity(const Elf64_Ehdr& header) {
  const unsigned char elf_class = header.e_ident[EI_CLASS];
  if (elf_class == ELFCLASS32) return foreign("a 64-bit shared object", "it is 32-bit");
  if (elf_class != ELFCLASS64)
    return malformed("its ELF class " + std::to_string(elf_class) + " does not exist");
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return foreign("a little-endian shared object", "it is not little-endian");
  }
  if (header.e_ident[EI_VERSION] != EV_CURRENT || header.e_version != EV_CURRENT) {
    return malformed("its ELF version does not exist");
  }
  if (header.e_machine != kMachine) {
    return foreign("code for " + machine_name(kMachine),
                   "it is for " + machine_name(header.e_machine));
  }
  if (header.e_type != ET_DYN) {
    return foreign("a shared object", "it is an ELF file of type " + std::to_string(header.e_type) +
                                          (header.e_type == ET_REL ? " (an object file)" : ""));
  }
  return Done{};
}

// A zero-terminated string at `offset` that ends before `end`.
std::optional<std::string> read_string(const ByteSource& source, uint64_t offset, uint64_t end) {
  end = std::min(end, source.size());
  if (offset >= end) return std::nullopt;
  const uint64_t limit = std::min(end - offset, kMaxStringBytes);
  std::string text;
  std::array<char, 128> piece;
  while (text.size() < limit) {
    const auto bytes = static_cast<size_t>(std::min<uint64_t>(piece.size(), limit - text.size()));
    if (!source.read(offset + text.size(),
                     std::as_writable_bytes(std::span(piece.data(), bytes)))) {
      return std::nullopt;
    }
    const std::string_view part(piece.data(), bytes);
    const size_t stop = part.find('\0');
    text.append(part.substr(0, stop));
    if (stop != std::string_view::npos) return text;
  }
  return std::nullopt;
}

std::optional<std::string> string_in(const std::string& table, uint64_t offset) {
  if (offset >= table.size()) return std::nullopt;
  const size_t end = table.find('\0', offset);
  if (end == std::string::npos) return std::nullopt;
  return table.substr(offset, end - offset);
}

std::optional<std::string> read_string_table(const ByteSource& source, const Elf64_Shdr& section) {
  if (section.sh_type != SHT_STRTAB || section.sh_size > kMaxStringTable) return std::nullopt;
  auto bytes = read_table<char>(source, section.sh_offset, section.sh_size);
  if (!bytes) return std::nullopt;
  return std::string(bytes->begin(), bytes->end());
}

// Where the bytes of an address stand in the file.
std::optional<uint64_t> file_offset(const ElfImage& image, uint64_t address) {
  for (const Elf64_Phdr& segment : image.segments) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    const uint64_t into = address - segment.p_vaddr;
    if (into < segment.p_filesz && into <= UINT64_MAX - segment.p_offset)
      return segment.p_offset + into;
  }
  return std::nullopt;
}

uint64_t value_of(const std::vector<Elf64_Dyn>& entries, Elf64_Sxword tag) {
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == tag) return entry.d_un.d_val;
  }
  return 0;
}

}  // namespace

Checked<ElfImage> read_image(const ByteSource& source) {
  const auto identity =
      read_table<unsigned char>(source, 0, std::min<uint64_t>(source.size(), EI_NIDENT));
  if (source.size() == 0) {
    return refuse(RefusalKind::kNotElf, "a shared object", "the file is empty", kRebuild);
  }
  if (!identity || identity->size() < SELFMAG ||
      std::memcmp(identity->data(), ELFMAG, SELFMAG) != 0) {
    return refuse(RefusalKind::kNotElf, "a shared object", "it is no ELF file", kRebuild);
  }
  // Before the rest of the header: that of a 32-bit file is shorter.
  if (identity->size() == EI_NIDENT && (*identity)[EI_CLASS] == ELFCLASS32) {
    return foreign("a 64-bit shared object", "it is 32-bit");
  }
  const auto headers = read_table<Elf64_Ehdr>(source, 0, 1);
  if (!headers) {
    return refuse(
        RefusalKind::kNotElf, "a shared object",
        "the file ends within its ELF header, after " + std::to_string(source.size()) + " bytes",
        kRebuild);
  }
  ElfImage image{headers->front(), {}};
  if (auto checked = check_identity(image.header); !checked) return checked.error();
  if (image.header.e_phnum == 0 || image.header.e_phentsize != sizeof(Elf64_Phdr)) {
    return malformed("it has no program headers that could be read");
  }
  auto segments = read_table<Elf64_Phdr>(source, image.header.e_phoff, image.header.e_phnum);
  if (!segments) return outside("program headers", source);
  image.segments = std::move(*segments);
  return image;
}

Checked<ElfDynamic> read_dynamic(const ByteSource& source, const ElfImage& image) {
  const auto segment = std::find_if(image.segments.begin(), image.segments.end(),
                                    [](const Elf64_Phdr& s) { return s.p_type == PT_DYNAMIC; });
  if (segment == image.segments.end()) return malformed("it has no dynamic segment");
  const uint64_t count = segment->p_filesz / sizeof(Elf64_Dyn);
  if (count > kMaxDynamicEntries) return malformed("its dynamic segment is too large");
  const auto entries = read_table<Elf64_Dyn>(source, segment->p_offset, count);
  if (!entries) return outside("dynamic entries", source);

  const uint64_t table_bytes = value_of(*entries, DT_STRSZ);
  const auto table = file_offset(image, value_of(*entries, DT_STRTAB));
  if (!table || !within(*table, table_bytes, source.size()))
    return outside("dynamic strings", source);

  ElfDynamic dynamic;
  for (const Elf64_Dyn& entry : *entries) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RPATH && entry.d_tag != DT_RUNPATH) continue;
    if (entry.d_un.d_val >= table_bytes) return outside("dynamic strings", source);
    auto text = read_string(source, *table + entry.d_un.d_val, *table + table_bytes);
    if (!text) return malformed("one of its dynamic strings has no end");
    if (entry.d_tag == DT_NEEDED) dynamic.needed.push_back(std::move(*text));
    if (entry.d_tag == DT_RPATH) dynamic.rpath = std::move(*text);
    if (entry.d_tag == DT_RUNPATH) dynamic.runpath = std::move(*text);
  }
  return dynamic;
}

Checked<std::vector<ElfSection>> read_sections(const ByteSource& source, const ElfImage& image) {
  const Elf64_Ehdr& header = image.header;
  if (header.e_shnum == 0) return std::vector<ElfSection>{};
  if (header.e_shentsize != sizeof(Elf64_Shdr))
    return malformed("its section headers have a wrong size");
  const auto table = read_table<Elf64_Shdr>(source, header.e_shoff, header.e_shnum);
  if (!table) return outside("section headers", source);
  if (header.e_shstrndx >= table->size())
    return malformed("it does not say where its section names are");
  const auto names = read_string_table(source, (*table)[header.e_shstrndx]);
  if (!names) return outside("section names", source);

  std::vector<ElfSection> sections;
  sections.reserve(table->size());
  for (const Elf64_Shdr& section : *table) {
    auto name = string_in(*names, section.sh_name);
    if (!name) return malformed("a section's name lies outside the section names");
    sections.push_back({std::move(*name), section});
  }
  return sections;
}

Checked<std::vector<ElfExport>> read_exports(const ByteSource& source,
                                             const std::vector<ElfSection>& sections) {
  const auto section = std::find_if(sections.begin(), sections.end(), [](const ElfSection& s) {
    return s.header.sh_type == SHT_DYNSYM;
  });
  std::vector<ElfExport> exports;
  if (section == sections.end()) return exports;
  const uint64_t count = section->header.sh_size / sizeof(Elf64_Sym);
  if (count > kMaxSymbols) return malformed("it has more than a million dynamic symbols");
  const auto symbols = read_table<Elf64_Sym>(source, section->header.sh_offset, count);
  if (!symbols) return outside("dynamic symbols", source);
  if (section->header.sh_link >= sections.size())
    return malformed("its dynamic symbols have no names");
  const auto names = read_string_table(source, sections[section->header.sh_link].header);
  if (!names) return outside("names of dynamic symbols", source);

  for (const Elf64_Sym& symbol : *symbols) {
    if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
    auto name = string_in(*names, symbol.st_name);
    if (!name) return malformed("a symbol's name lies outside the symbols' names");
    exports.push_back({std::move(*name), symbol.st_value,
                       static_cast<unsigned char>(ELF64_ST_TYPE(symbol.st_info))});
  }
  return exports;
}

}  // namespace attnrt::load
