// Manifests: the only statement of what a plugin supports, as data.
//
// A plugin supports the union of its kernels' boxes; nothing is supported unless it is listed.
// Values from a later version (an unknown format, SM, feature, op …) never match; an unknown key in
// a kernel refuses that kernel, since it may be a restriction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/device.hpp"
#include "attnrt/format.hpp"
#include "attnrt/result.hpp"

namespace attnrt {

// Values are those of ATTNRT_OP_*.
enum class Op : uint8_t { kAppend = 1, kPrefill = 2, kDecode = 3, kMixed = 4, kMerge = 5 };
std::string_view name(Op op);
Result<Op> parse_op(std::string_view text);

// Bit positions are those of ATTNRT_FEATURE_*.
enum class Feature : uint8_t {
  kCausal,
  kNonCausal,
  kCross,
  kTreeMask,
  kPrefixLm,
  kWindow,
  kSinks,
  kSoftcap,
  kAlibi,
  kLse,
  kPerHeadScales,
  kBatchInvariant,
  kGraph,
  kDeviceLengths,
  kSparse,
};
inline constexpr int kFeatureCount = 15;
std::string_view name(Feature feature);
Result<Feature> parse_feature(std::string_view text);

// A small set of enumerators.
template <class E>
class EnumSet {
 public:
  constexpr EnumSet() = default;
  constexpr EnumSet(std::initializer_list<E> values) {
    for (E v : values) insert(v);
  }
  static constexpr EnumSet from_bits(uint64_t bits) {
    EnumSet s;
    s.bits_ = bits;
    return s;
  }
  constexpr void insert(E v) { bits_ |= bit(v); }
  constexpr void erase(E v) { bits_ &= ~bit(v); }
  constexpr bool contains(E v) const { return (bits_ & bit(v)) != 0; }
  constexpr bool contains_all(EnumSet other) const { return (other.bits_ & ~bits_) == 0; }
  constexpr EnumSet minus(EnumSet other) const { return from_bits(bits_ & ~other.bits_); }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr uint64_t bits() const { return bits_; }
  friend constexpr bool operator==(EnumSet, EnumSet) = default;

 private:
  static constexpr uint64_t bit(E v) { return uint64_t{1} << static_cast<unsigned>(v); }
  uint64_t bits_ = 0;
};
using Features = EnumSet<Feature>;

// {multiple_of: m, min: a, max: b}: finite, so still a list.
struct IntRange {
  int32_t multiple_of = 1;
  int32_t min = 1;
  int32_t max = 1;
  bool contains(int32_t v) const { return v >= min && v <= max && v % multiple_of == 0; }
  friend bool operator==(const IntRange&, const IntRange&) = default;
};
struct IntSet {
  std::vector<int32_t> values;
  std::vector<IntRange> ranges;
  bool contains(int32_t v) const;
  friend bool operator==(const IntSet&, const IntSet&) = default;
};
struct HeadDimSet {
  std::vector<HeadDim> pairs;
  std::vector<IntRange> ranges;  // N stands for [N, N]
  bool contains(HeadDim d) const;
  friend bool operator==(const HeadDimSet&, const HeadDimSet&) = default;
};
std::string to_string(const IntSet& set);
std::string to_string(const HeadDimSet& set);

struct KernelManifest {
  std::string name;
  std::optional<DeviceKind> device;  // empty: a kind that this version does not know
  std::vector<int32_t> sm;           // CUDA, SIMT: families expanded
  std::vector<std::string> gfx;      // ROCm
  EnumSet<Op> ops;
  int32_t max_query_tokens = 1;  // decode
  EnumSet<DType> q;
  EnumSet<DType> out;  // empty: q's dtype
  EnumSet<Format> kv;
  EnumSet<CacheKind> cache{CacheKind::kSeparate};
  HeadDimSet head_dim;
  IntSet block_size;
  EnumSet<Layout> layout;
  IntSet group;  // query heads per KV head
  Features features;
  // Where rows may stand. A manifest that names none of the three takes what plugin.h allows.
  EnumSet<Strides> tensors{Strides::kPacked, Strides::kStrided};  // q, out, lse, k, v
  EnumSet<Strides> pages{Strides::kPacked, Strides::kStrided};
  int32_t alignment = 1;  // bytes: of q, out, k, v, a cache's data and their strides
  int32_t score = 0;
  std::vector<std::string> unknown_keys;  // not empty: the kernel is refused
};

struct Manifest {
  std::string name, version, vendor, license, description;
  int32_t abi = 1;
  std::vector<std::string> needs_cpu;        // CPU features
  std::vector<std::string> needs_libraries;  // sonames
  std::vector<KernelManifest> kernels;
  std::vector<std::string> warnings;  // unknown keys outside kernels, unknown values
  std::string origin;                 // file that it came from
};

// YAML (or JSON) text. Errors carry origin:line:column.
Result<Manifest> parse_manifest(std::string_view text, std::string_view origin);

}  // namespace attnrt
