#include "tests/support/tensor_file.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace attnrt::testing {

TensorFile::TensorFile(const std::string& path) : path_(path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + " cannot be read");
  const std::vector<char> all{std::istreambuf_iterator<char>(file), {}};
  uint64_t header = 0;
  if (all.size() < sizeof(header)) throw std::runtime_error(path + " is too short");
  std::memcpy(&header, all.data(), sizeof(header));
  const auto text = all.begin() + sizeof(header);
  const auto end = text + static_cast<int64_t>(header);
  bytes_.assign(end, all.end());
  const auto json = nlohmann::json::parse(text, end);
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      metadata_ = value.get<std::map<std::string, std::string>>();
      continue;
    }
    const auto range = value.at("data_offsets").get<std::vector<size_t>>();
    entries_[name] = {value.at("dtype"), value.at("shape"), range.at(0), range.at(1)};
  }
}

const TensorFile::Entry& TensorFile::find(const std::string& name, const std::string& type) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw std::runtime_error(path_ + " has no tensor " + name);
  if (!type.empty() && found->second.type != type) {
    throw std::runtime_error(path_ + ": " + name + " is " + found->second.type + ", not " + type);
  }
  return found->second;
}

const std::vector<int64_t>& TensorFile::shape(const std::string& name) const {
  return find(name, "").shape;
}

}  // namespace attnrt::testing
