// A reader of safetensors files: 8 bytes of header length, a JSON header, raw little-endian data.
//
// The file is mapped, not read; its header is trusted in nothing: every length, offset, shape and
// dtype is checked before use. Tensors stay valid while the object lives. Immutable: thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/result.hpp"

namespace attnrt::runtime {

struct StoredTensor {
  std::string dtype;           // "F32", "BF16", …
  std::vector<int64_t> shape;  // none of them negative
  std::span<const uint8_t> bytes;
};

class Safetensors {
 public:
  // Errors (kInvalid): no such file, not a regular one, malformed.
  static Result<Safetensors> open(const std::string& path);
  // The same over bytes that the caller keeps; `origin` names them in errors.
  static Result<Safetensors> parse(std::span<const uint8_t> file, const std::string& origin);

  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }
  const StoredTensor* find(std::string_view name) const;
  size_t size() const { return tensors_.size(); }
  const std::string& origin() const { return origin_; }

 private:
  std::string origin_;
  std::shared_ptr<const uint8_t> mapping_;
  std::map<std::string, std::string, std::less<>> metadata_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

}  // namespace attnrt::runtime
