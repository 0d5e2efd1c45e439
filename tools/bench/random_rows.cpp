#include "bench/random_rows.hpp"

#include <cstring>

namespace attnrt::bench {
namespace {

// A float's fields: how many bits its fraction has, and its exponents for 2^-7 … 2^0.
struct Fields {
  int fraction_bits;
  uint32_t least_exponent;
  int sign_bit;
};

Fields fields_of(DType dtype) {
  if (dtype == DType::kF32) return {23, 127 - 7, 31};
  if (dtype == DType::kF16) return {10, 15 - 7, 15};
  return {7, 127 - 7, 15};
}

}  // namespace

std::vector<uint8_t> random_values(int64_t count, DType dtype, SplitMix& random) {
  const Fields f = fields_of(dtype);
  const auto bytes = static_cast<size_t>(element_bytes(dtype));
  std::vector<uint8_t> values(static_cast<size_t>(count) * bytes);
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const uint64_t r = random.next();
    const auto fraction = static_cast<uint32_t>(r & ((uint64_t{1} << f.fraction_bits) - 1));
    const uint32_t exponent = f.least_exponent + static_cast<uint32_t>(r >> 40 & 7);
    const auto sign = static_cast<uint32_t>(r >> 63);
    const uint32_t value = sign << f.sign_bit | exponent << f.fraction_bits | fraction;
    std::memcpy(&values[i * bytes], &value, bytes);  // little-endian: the low half of 16 bits
  }
  return values;
}

void shuffle(std::vector<int32_t>& ids, SplitMix& random) {
  for (size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random.next() % i]);
}

}  // namespace attnrt::bench
