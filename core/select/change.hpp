// Changes to a request, the stuff that alternatives are made of: whole new values under the
// request's own keys, and an order from the smallest on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "select/compiled.hpp"

namespace attnrt {

inline constexpr size_t kMaxAlternatives = 8;
// Block sizes that differ in nothing else: more would crowd out other kinds of change.
inline constexpr size_t kMaxBlockSizes = 3;

// In the order in which changes of one size are named.
struct Change {
  std::optional<Layout> layout;
  std::optional<int32_t> block_size;
  std::optional<Format> kv;
  std::optional<Strides> tensors;
  std::optional<Strides> pages;
  std::optional<int32_t> alignment;
  std::optional<Features> features;
  std::optional<Device> device;
  friend bool operator==(const Change&, const Change&) = default;
};

// How far a change is from the request; smaller is nearer.
struct ChangeOrder {
  size_t keys_changed = 0;
  std::array<uint8_t, 8> keys{};  // positions in Change, ascending, then 9
  std::array<int64_t, 8> distance{};
  std::string device;
  friend auto operator<=>(const ChangeOrder&, const ChangeOrder&) = default;
};
ChangeOrder order(const Change& change, const Request& asked);

Request apply(const Change& change, const Request& request);
// {"kv", "fp8_e4m3"}, …: as the options take them.
std::vector<std::pair<std::string, std::string>> to_texts(const Change& change);
// True if every key of `part` stands in `whole` with the same value.
bool is_part_of(const Change& part, const Change& whole);
// True if the two differ in their block sizes only.
bool same_but_block_size(const Change& a, const Change& b);

// Values that a kernel lists, nearest to what was asked first.
std::vector<int32_t> near_block_sizes(const KernelRow& row, const Catalog::Compiled& compiled,
                                      int32_t asked);
std::vector<Format> near_formats(uint32_t kv_bits, const Request& asked);
std::vector<Device> near_devices(const KernelRow& row, const Catalog::Compiled& compiled,
                                 const Device& asked);

}  // namespace attnrt
