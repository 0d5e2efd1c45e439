// What the tests of loading share: folders of their own, files as bytes, and ELF files to damage.
#pragma once

#include <elf.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace attnrt::load::testing {

namespace fs = std::filesystem;

// Removed with all that is in it; nobody else can write it.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (fs::temp_directory_path() / "attnrt_load_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = fs::canonical(name);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;  // a test may have taken its own permissions away
    fs::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string string() const { return path_.string(); }

 private:
  fs::path path_;
};

inline std::string fixture(const std::string& name) {
  return std::string(ATTNRT_FIXTURES) + "/fixture_" + name + ".so";
}

using Bytes = std::vector<char>;

inline Bytes read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
  file.close();
  // Whatever the umask says: modes are what some tests are about.
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}
inline void write_bytes(const std::string& path, const Bytes& bytes) {
  write_bytes(path, std::string_view(bytes.data(), bytes.size()));
}

inline void copy_fixture(const std::string& name, const std::string& to) {
  write_bytes(to, read_bytes(fixture(name)));
}

// A shared object in memory that a test may damage at will.
class ElfBytes {
 public:
  explicit ElfBytes(Bytes bytes) : bytes_(std::move(bytes)) {}

  Elf64_Ehdr& header() { return at<Elf64_Ehdr>(0); }
  Elf64_Shdr& section(size_t index) {
    return at<Elf64_Shdr>(header().e_shoff + index * sizeof(Elf64_Shdr));
  }
  Elf64_Phdr& segment(size_t index) {
    return at<Elf64_Phdr>(header().e_phoff + index * sizeof(Elf64_Phdr));
  }
  size_t section_index(std::string_view name) {
    const Elf64_Shdr& names = section(header().e_shstrndx);
    for (size_t i = 0; i < header().e_shnum; ++i) {
      if (name == &bytes_.at(names.sh_offset + section(i).sh_name)) return i;
    }
    throw std::runtime_error("no section " + std::string(name));
  }
  Elf64_Shdr& section(std::string_view name) { return section(section_index(name)); }

  template <class T>
  T& at(size_t offset) {
    if (offset + sizeof(T) > bytes_.size()) throw std::runtime_error("outside the file");
    return *reinterpret_cast<T*>(bytes_.data() + offset);
  }
  Bytes& bytes() { return bytes_; }
  std::span<const std::byte> span() const { return std::as_bytes(std::span(bytes_)); }

 private:
  Bytes bytes_;
};

}  // namespace attnrt::load::testing
