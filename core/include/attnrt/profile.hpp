// A measured profile: how long kernels took on one device, by shape class.
//
// `attnrt bench --profile-out` makes one; put into a Policy, the selector prefers it over the
// manifests' scores. A profile can only compare kernels that it holds both: within a shape class
// it hands the scores of its kernels out anew, the highest to the fastest. So a kernel that was
// never measured keeps its score, and a profile of one kernel changes nothing.
// Plain values; functions are pure and thread-safe, load_profile reads a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/select.hpp"

namespace attnrt {

// What of a request decides which kernel is fastest. Lengths and batches are not known when a
// backend is chosen; a class therefore holds the mean of several of them.
struct ShapeClass {
  Op op = Op::kDecode;       // prefill or decode
  int32_t query_tokens = 1;  // decode: of a sequence, rounded up to a power of two; prefill: 0
  DType q = DType::kBf16;
  Format kv = Format::kBf16;
  CacheKind cache = CacheKind::kSeparate;
  HeadDim head_dim;
  int32_t group = 1;  // query heads per KV head
  friend bool operator==(const ShapeClass&, const ShapeClass&) = default;
};
// Mixed batches are of decode's class; append and merge are of none.
std::optional<ShapeClass> shape_class(const Request& request);

struct ProfiledKernel {
  std::string plugin;
  std::string version;  // of the plugin; another one's times say nothing
  std::string kernel;
  double ms = 0;  // geometric mean of the medians over the class's shapes
};

struct ProfileEntry {
  ShapeClass shape;
  int32_t shapes = 1;  // how many were measured, the same for all kernels
  std::vector<ProfiledKernel> kernels;
};

struct Profile {
  Device device;
  std::string machine;  // what the system calls it; may be empty
  int32_t threads = 0;  // that kernels were given
  std::vector<ProfileEntry> entries;
  std::string origin;  // the file; for messages

  const ProfileEntry* find(const ShapeClass& shape) const;  // null: not measured
};

// Errors (kInvalid) carry origin:line:column.
Result<Profile> parse_profile(std::string_view json, const std::string& origin);
Result<Profile> load_profile(const std::string& path);
std::string to_json_text(const Profile& profile);

// True if the times were taken on such a device: same kind, architecture and CPU features.
bool measured_on(const Profile& profile, const Device& device);
// Refuses a profile of another device, or, for a device of this machine, of another machine.
Status check(const Profile& profile, const Device& device, const HostFacts& host);

}  // namespace attnrt
