// Reads the safetensors files that fixtures are stored in. Throws std::runtime_error with the
// file's name where something is missing or of another type.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

namespace attnrt::testing {

class TensorFile {
 public:
  explicit TensorFile(const std::string& path);

  template <class T>
  std::vector<T> get(const std::string& name) const {
    const Entry& entry = find(name, type_name<T>());
    std::vector<T> values((entry.end - entry.begin) / sizeof(T));
    // memcpy must not be given the null pointer of an empty vector.
    if (!values.empty()) {
      std::memcpy(values.data(), bytes_.data() + entry.begin, values.size() * sizeof(T));
    }
    return values;
  }
  const std::vector<int64_t>& shape(const std::string& name) const;
  bool has(const std::string& name) const { return entries_.count(name) != 0; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  struct Entry {
    std::string type;
    std::vector<int64_t> shape;
    size_t begin;
    size_t end;
  };
  template <class T>
  static const char* type_name() {
    if constexpr (std::is_same_v<T, double>) return "F64";
    if constexpr (std::is_same_v<T, float>) return "F32";
    if constexpr (std::is_same_v<T, int64_t>) return "I64";
    if constexpr (std::is_same_v<T, int32_t>) return "I32";
    if constexpr (std::is_same_v<T, uint32_t>) return "U32";
    if constexpr (std::is_same_v<T, uint8_t>) return "U8";
    return "";
  }
  const Entry& find(const std::string& name, const std::string& type) const;

  std::string path_;
  std::vector<char> bytes_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace attnrt::testing
