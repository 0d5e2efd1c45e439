// Writes safetensors files for tests, right ones and wrong ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace attnrt::testing_fakes {

// The length, a header as given, and data.
inline std::vector<uint8_t> safetensors_bytes(std::string header, const std::vector<float>& data) {
  while (header.size() % 8 != 0) header += ' ';
  const uint64_t length = header.size();
  std::vector<uint8_t> file(8 + header.size() + data.size() * sizeof(float));
  std::memcpy(file.data(), &length, 8);
  std::memcpy(file.data() + 8, header.data(), header.size());
  if (!data.empty()) {
    std::memcpy(file.data() + 8 + header.size(), data.data(), data.size() * sizeof(float));
  }
  return file;
}

// A recording: f32 tensors, one behind the other.
class RecordingWriter {
 public:
  void add(const std::string& name, const std::vector<int64_t>& shape,
           const std::vector<float>& values) {
    const std::string begin = std::to_string(data_.size() * sizeof(float));
    data_.insert(data_.end(), values.begin(), values.end());
    std::string sizes;
    for (const int64_t n : shape) sizes += (sizes.empty() ? "" : ",") + std::to_string(n);
    header_ += ",\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[" + sizes + "],\"data_offsets\":[" +
               begin + "," + std::to_string(data_.size() * sizeof(float)) + "]}";
  }
  std::vector<uint8_t> bytes() const {
    return safetensors_bytes("{\"__metadata__\":{\"attnrt_recording\":\"1\"}" + header_ + "}",
                             data_);
  }

 private:
  std::string header_;
  std::vector<float> data_;
};

}  // namespace attnrt::testing_fakes
