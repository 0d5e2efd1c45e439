// The ELF reader and the manifest's section: one damage a test, and the reason that it must give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "attnrt/plugin.h"
#include "format/utf8.hpp"
#include "load/elf_manifest.hpp"
#include "support.hpp"

namespace attnrt::load {
namespace {

using testing::Bytes;
using testing::ElfBytes;
using ::testing::HasSubstr;

ElfBytes good() {
  return ElfBytes(testing::read_bytes(testing::fixture("good")));
}

Checked<PluginImage> inspect(const ElfBytes& file) {
  return inspect_plugin(SpanSource(file.span()));
}

TEST(ElfReader, ReadsTheManifestAndTheNeedsOfAPlugin) {
  const auto image = inspect(good());
  ASSERT_TRUE(image) << to_string(image.error().error);
  EXPECT_THAT(image->manifest.text, HasSubstr("name: fixture_good"));
  EXPECT_EQ(image->manifest.bytes.substr(0, 8), ATTNRT_MANIFEST_MAGIC);
  EXPECT_THAT(image->dynamic.needed, ::testing::Contains(HasSubstr("libc.so")));
}

TEST(ElfReader, TheManifestSurvivesStripping) {
  const testing::TempFolder folder;
  const std::string path = folder / "stripped.so";
  testing::copy_fixture("good", path);
  const auto before = testing::read_bytes(path).size();
  ASSERT_EQ(std::system((std::string(ATTNRT_STRIP) + " -s " + path).c_str()), 0);
  const ElfBytes stripped(testing::read_bytes(path));
  EXPECT_LT(stripped.span().size(), before);
  const auto image = inspect(stripped);
  ASSERT_TRUE(image) << to_string(image.error().error);
  EXPECT_THAT(image->manifest.text, HasSubstr("name: fixture_good"));
}

struct Damage {
  const char* name;
  RefusalKind kind;
  const char* says;
  std::function<void(ElfBytes&)> inflict;
};
void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.name;
}

attnrt_manifest_header& manifest_header(ElfBytes& file) {
  return file.at<attnrt_manifest_header>(file.section(ATTNRT_MANIFEST_SECTION).sh_offset);
}

// The first dynamic symbol of that name.
Elf64_Sym& symbol(ElfBytes& file, std::string_view name) {
  const Elf64_Shdr table = file.section(".dynsym");
  const Elf64_Shdr names = file.section(".dynstr");
  for (uint64_t at = 0; at < table.sh_size; at += sizeof(Elf64_Sym)) {
    auto& entry = file.at<Elf64_Sym>(table.sh_offset + at);
    if (name == &file.at<char>(names.sh_offset + entry.st_name)) return entry;
  }
  throw std::runtime_error("no such symbol");
}

const Damage kDamages[] = {
    {"empty", RefusalKind::kNotElf, "the file is empty", [](ElfBytes& f) { f.bytes().clear(); }},
    {"one_byte", RefusalKind::kNotElf, "no ELF file", [](ElfBytes& f) { f.bytes().resize(1); }},
    {"a_script", RefusalKind::kNotElf, "no ELF file",
     [](ElfBytes& f) {
       f.bytes().assign({'#', '!', '/', 'b', 'i', 'n', '/', 's', 'h', '\n'});
     }},
    {"only_the_magic", RefusalKind::kNotElf, "ends within its ELF header",
     [](ElfBytes& f) { f.bytes().resize(4); }},
    {"half_a_header", RefusalKind::kNotElf, "ends within its ELF header",
     [](ElfBytes& f) { f.bytes().resize(40); }},
    {"only_a_header", RefusalKind::kMalformedElf, "program headers lie outside the file",
     [](ElfBytes& f) { f.bytes().resize(64); }},
    {"cut_in_half", RefusalKind::kMalformedElf, "may be cut off",
     [](ElfBytes& f) { f.bytes().resize(f.bytes().size() / 2); }},
    {"one_byte_short", RefusalKind::kMalformedElf, "section headers lie outside the file",
     [](ElfBytes& f) { f.bytes().pop_back(); }},
    {"a_32_bit_object", RefusalKind::kForeignElf, "it is 32-bit",
     [](ElfBytes& f) { f.header().e_ident[EI_CLASS] = ELFCLASS32; }},
    {"a_short_32_bit_object", RefusalKind::kForeignElf, "it is 32-bit",
     [](ElfBytes& f) {
       f.header().e_ident[EI_CLASS] = ELFCLASS32;
       f.bytes().resize(52);
     }},
    {"an_unknown_class", RefusalKind::kMalformedElf, "ELF class",
     [](ElfBytes& f) { f.header().e_ident[EI_CLASS] = 9; }},
    {"big_endian", RefusalKind::kForeignElf, "not little-endian",
     [](ElfBytes& f) { f.header().e_ident[EI_DATA] = ELFDATA2MSB; }},
    {"another_machine", RefusalKind::kForeignElf, "it is for RISC-V",
     [](ElfBytes& f) { f.header().e_machine = EM_RISCV; }},
    {"an_object_file", RefusalKind::kForeignElf, "an object file",
     [](ElfBytes& f) { f.header().e_type = ET_REL; }},
    {"an_executable", RefusalKind::kForeignElf, "type 2",
     [](ElfBytes& f) { f.header().e_type = ET_EXEC; }},
    {"a_future_elf_version", RefusalKind::kMalformedElf, "ELF version",
     [](ElfBytes& f) { f.header().e_version = 2; }},
    {"program_headers_of_another_size", RefusalKind::kMalformedElf, "program headers",
     [](ElfBytes& f) { f.header().e_phentsize = 55; }},
    {"program_headers_far_away", RefusalKind::kMalformedElf, "program headers lie outside",
     [](ElfBytes& f) { f.header().e_phoff = UINT64_MAX - 8; }},
    {"section_headers_far_away", RefusalKind::kMalformedElf, "section headers lie outside",
     [](ElfBytes& f) { f.header().e_shoff = UINT64_MAX - 8; }},
    {"section_headers_of_another_size", RefusalKind::kMalformedElf, "wrong size",
     [](ElfBytes& f) { f.header().e_shentsize = 40; }},
    {"no_section_headers", RefusalKind::kNoManifest, "there is none",
     [](ElfBytes& f) { f.header().e_shnum = 0; }},
    {"names_nowhere", RefusalKind::kMalformedElf, "section names",
     [](ElfBytes& f) { f.header().e_shstrndx = 0xfff0; }},
    {"names_too_large", RefusalKind::kMalformedElf, "section names lie outside",
     [](ElfBytes& f) { f.section(f.header().e_shstrndx).sh_size = UINT64_MAX; }},
    {"a_section_without_a_name", RefusalKind::kMalformedElf, "a section's name",
     [](ElfBytes& f) { f.section(1).sh_name = 0x7fffffff; }},
    {"no_manifest", RefusalKind::kNoManifest, "there is none",
     [](ElfBytes& f) { f.section(ATTNRT_MANIFEST_SECTION).sh_name = 0; }},
    {"the_section_twice", RefusalKind::kManifestSection, "stands there twice",
     [](ElfBytes& f) { f.section(1).sh_name = f.section(ATTNRT_MANIFEST_SECTION).sh_name; }},
    {"not_mapped", RefusalKind::kManifestSection, "is not mapped",
     [](ElfBytes& f) { f.section(ATTNRT_MANIFEST_SECTION).sh_flags = 0; }},
    {"without_bytes", RefusalKind::kManifestSection, "is not mapped",
     [](ElfBytes& f) { f.section(ATTNRT_MANIFEST_SECTION).sh_type = SHT_NOBITS; }},
    {"a_writable_section", RefusalKind::kManifestSection, "is writable",
     [](ElfBytes& f) { f.section(ATTNRT_MANIFEST_SECTION).sh_flags |= SHF_WRITE; }},
    {"a_writable_segment", RefusalKind::kManifestSection, "is mapped writable",
     [](ElfBytes& f) {
       for (size_t i = 0; i < f.header().e_phnum; ++i) f.segment(i).p_flags |= PF_W;
     }},
    {"compressed", RefusalKind::kManifestSection, "is compressed",
     [](ElfBytes& f) { f.section(ATTNRT_MANIFEST_SECTION).sh_flags |= SHF_COMPRESSED; }},
    {"smaller_than_its_header", RefusalKind::kManifestSection, "has 15 bytes",
     [](ElfBytes& f) { f.section(ATTNRT_MANIFEST_SECTION).sh_size = 15; }},
    {"one_byte_too_large", RefusalKind::kManifestSection, "at most 65536 bytes",
     [](ElfBytes& f) { f.section(ATTNRT_MANIFEST_SECTION).sh_size = 16 + 65536 + 1; }},
    {"outside_every_segment", RefusalKind::kManifestSection, "is not part of one",
     [](ElfBytes& f) { f.section(ATTNRT_MANIFEST_SECTION).sh_addr += 1u << 30; }},
    {"other_bytes_than_those_mapped", RefusalKind::kManifestSection, "is not part of one",
     [](ElfBytes& f) { f.section(ATTNRT_MANIFEST_SECTION).sh_offset -= 8; }},
    {"wrong_magic", RefusalKind::kManifestSection, "begins with other bytes",
     [](ElfBytes& f) { manifest_header(f).magic[0] = 'B'; }},
    {"a_future_section_version", RefusalKind::kManifestSection, "has version 2",
     [](ElfBytes& f) { manifest_header(f).version = 2; }},
    {"text_beyond_the_section", RefusalKind::kManifestSection, "has room for",
     [](ElfBytes& f) { manifest_header(f).bytes = UINT32_MAX; }},
    {"bytes_behind_the_text", RefusalKind::kManifestSection, "behind its text",
     [](ElfBytes& f) { manifest_header(f).bytes -= 30; }},
    {"a_control_character", RefusalKind::kManifestText, "holds other bytes",
     [](ElfBytes& f) { f.at<char>(f.section(ATTNRT_MANIFEST_SECTION).sh_offset + 20) = '\x1b'; }},
    {"no_utf8", RefusalKind::kManifestText, "holds other bytes",
     [](ElfBytes& f) { f.at<char>(f.section(ATTNRT_MANIFEST_SECTION).sh_offset + 20) = '\xff'; }},
    {"the_symbol_elsewhere", RefusalKind::kManifestSection, "names something else",
     [](ElfBytes& f) { symbol(f, ATTNRT_MANIFEST_SYMBOL).st_value += 8; }},
    {"the_symbol_undefined", RefusalKind::kManifestSection, "is not exported",
     [](ElfBytes& f) { symbol(f, ATTNRT_MANIFEST_SYMBOL).st_shndx = SHN_UNDEF; }},
    {"the_entry_undefined", RefusalKind::kNoEntry, "is not exported",
     [](ElfBytes& f) { symbol(f, ATTNRT_ENTRY_SYMBOL).st_shndx = SHN_UNDEF; }},
    {"the_entry_no_function", RefusalKind::kNoEntry, "no function",
     [](ElfBytes& f) {
       symbol(f, ATTNRT_ENTRY_SYMBOL).st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
     }},
    {"symbols_without_names", RefusalKind::kMalformedElf, "have no names",
     [](ElfBytes& f) { f.section(".dynsym").sh_link = 0xffff; }},
    {"too_many_symbols", RefusalKind::kMalformedElf, "a million",
     [](ElfBytes& f) { f.section(".dynsym").sh_size = UINT64_MAX; }},
    {"a_symbol_name_outside", RefusalKind::kMalformedElf, "a symbol's name",
     [](ElfBytes& f) { symbol(f, ATTNRT_ENTRY_SYMBOL).st_name = 0x7fffffff; }},
    {"no_dynamic_segment", RefusalKind::kMalformedElf, "no dynamic segment",
     [](ElfBytes& f) {
       for (size_t i = 0; i < f.header().e_phnum; ++i) {
         if (f.segment(i).p_type == PT_DYNAMIC) f.segment(i).p_type = PT_NULL;
       }
     }},
    {"dynamic_strings_outside", RefusalKind::kMalformedElf, "dynamic strings lie outside",
     [](ElfBytes& f) {
       const Elf64_Shdr dynamic = f.section(".dynamic");
       for (uint64_t at = 0; at < dynamic.sh_size; at += sizeof(Elf64_Dyn)) {
         auto& entry = f.at<Elf64_Dyn>(dynamic.sh_offset + at);
         if (entry.d_tag == DT_NEEDED) entry.d_un.d_val = UINT64_MAX;
       }
     }},
};

class DamagedPlugin : public ::testing::TestWithParam<Damage> {};

TEST_P(DamagedPlugin, IsRefusedWithItsReason) {
  ElfBytes file = good();
  GetParam().inflict(file);
  const auto image = inspect(file);
  ASSERT_FALSE(image);
  const Error& error = image.error().error;
  EXPECT_EQ(image.error().kind, GetParam().kind) << to_string(error);
  EXPECT_THAT(to_string(error), HasSubstr(GetParam().says));
  EXPECT_FALSE(error.found.empty());
  EXPECT_FALSE(error.expected.empty());
  EXPECT_FALSE(error.remedy.empty());
}

INSTANTIATE_TEST_SUITE_P(Every, DamagedPlugin, ::testing::ValuesIn(kDamages),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(ElfReader, RefusesAManifestThatTheCompilerMadeWritable) {
  const auto image = inspect(ElfBytes(testing::read_bytes(testing::fixture("writable"))));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind, RefusalKind::kManifestSection);
  EXPECT_THAT(image.error().error.found, HasSubstr("is writable"));
}

TEST(ElfReader, RefusesTwoManifestsThatTheLinkerJoined) {
  const auto image = inspect(ElfBytes(testing::read_bytes(testing::fixture("two_manifests"))));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind, RefusalKind::kManifestSection);
  EXPECT_THAT(image.error().error.found, HasSubstr("more than one"));
}

TEST(ElfReader, ALibraryWithoutAManifestIsNoPlugin) {
  const auto image =
      inspect(ElfBytes(testing::read_bytes(ATTNRT_FIXTURES "/stub/libattnrt_fixture_stub.so")));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind, RefusalKind::kNoManifest);
}

TEST(PlainUtf8, TakesTextAndRefusesControlsAndBrokenSequences) {
  for (const char* text : {"", "a: b\n\t\r",
                           "gr\xc3\xb6\xc3\x9f"
                           "e",
                           "\xe2\x82\xac", "\xf0\x9f\x8e\x89"}) {
    EXPECT_FALSE(first_non_text(text)) << text;
  }
  const std::string_view nul("a\0b", 3);
  EXPECT_TRUE(first_non_text(nul));
  for (const char* text :
       {"\x1b[31m", "\x7f", "\x80", "\xc3", "\xc0\x80", "\xc2\x9b", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    EXPECT_TRUE(first_non_text(text));
  }
}

}  // namespace
}  // namespace attnrt::load
