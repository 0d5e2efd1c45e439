#include "bench/machine/read_loop.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace attnrt::bench {
namespace {

constexpr size_t kLine = 64;

void prefetch_step(const uint8_t* at) {
  for (size_t line = 0; line < kReadStep; line += kLine) __builtin_prefetch(at + line, 0, 3);
}

// A step of every stream: Step reads kReadStep bytes. Prefetches may point behind the end: they
// never fault.
#define ATTNRT_WALK(STEP)                                           \
  const size_t part = bytes / kStreams;                             \
  for (size_t at = 0; at < part; at += kReadStep) {                 \
    _Pragma("GCC unroll 8") for (int s = 0; s < kStreams; ++s) {    \
      const uint8_t* p = data + static_cast<size_t>(s) * part + at; \
      if constexpr (kPrefetch) prefetch_step(p + prefetch);         \
      STEP                                                          \
    }                                                               \
  }

struct Portable {
  template <int kStreams, bool kPrefetch>
  static uint64_t walk(const uint8_t* data, size_t bytes, size_t prefetch) {
    using Vector [[gnu::vector_size(16)]] = uint64_t;
    Vector sum[4] = {};
    static_cast<void>(prefetch);
    ATTNRT_WALK(for (size_t i = 0; i < kReadStep; i += sizeof(Vector)) {
      Vector v;
      std::memcpy(&v, p + i, sizeof v);
      sum[i / sizeof(Vector) % 4] ^= v;
    })
    const Vector all = sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
    return all[0] ^ all[1];
  }
};

#if defined(__x86_64__)
struct Avx2 {
  template <int kStreams, bool kPrefetch>
  [[gnu::target("avx2")]] static uint64_t walk(const uint8_t* data, size_t bytes, size_t prefetch) {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    static_cast<void>(prefetch);
    const auto load = [](const uint8_t* p) { return reinterpret_cast<const __m256i*>(p); };
    ATTNRT_WALK(for (size_t i = 0; i < kReadStep; i += 128) {
      a = _mm256_xor_si256(a, _mm256_load_si256(load(p + i)));
      b = _mm256_xor_si256(b, _mm256_load_si256(load(p + i + 32)));
      c = _mm256_xor_si256(c, _mm256_load_si256(load(p + i + 64)));
      d = _mm256_xor_si256(d, _mm256_load_si256(load(p + i + 96)));
    })
    a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
    return static_cast<uint64_t>(_mm256_extract_epi64(a, 0) ^ _mm256_extract_epi64(a, 1) ^
                                 _mm256_extract_epi64(a, 2) ^ _mm256_extract_epi64(a, 3));
  }
};

struct Avx512 {
  template <int kStreams, bool kPrefetch>
  [[gnu::target("avx512f")]] static uint64_t walk(const uint8_t* data, size_t bytes,
                                                  size_t prefetch) {
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    static_cast<void>(prefetch);
    ATTNRT_WALK({
      a = _mm512_xor_si512(a, _mm512_load_si512(p));
      b = _mm512_xor_si512(b, _mm512_load_si512(p + 64));
      c = _mm512_xor_si512(c, _mm512_load_si512(p + 128));
      d = _mm512_xor_si512(d, _mm512_load_si512(p + 192));
    })
    a = _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
    alignas(64) uint64_t lanes[8];
    _mm512_store_si512(lanes, a);
    uint64_t all = 0;
    for (const uint64_t lane : lanes) all ^= lane;
    return all;
  }
};
#endif
#undef ATTNRT_WALK

template <class Isa, int kStreams>
uint64_t walk(const uint8_t* data, size_t bytes, int32_t prefetch) {
  if (prefetch <= 0) return Isa::template walk<kStreams, false>(data, bytes, 0);
  return Isa::template walk<kStreams, true>(data, bytes, static_cast<size_t>(prefetch));
}

template <class Isa>
uint64_t read(const uint8_t* data, size_t bytes, ReadPattern pattern) {
  switch (pattern.streams) {
    case 8:
      return walk<Isa, 8>(data, bytes, pattern.prefetch_bytes);
    case 4:
      return walk<Isa, 4>(data, bytes, pattern.prefetch_bytes);
    case 2:
      return walk<Isa, 2>(data, bytes, pattern.prefetch_bytes);
    default:
      return walk<Isa, 1>(data, bytes, pattern.prefetch_bytes);
  }
}

}  // namespace

ReadLoop widest_read_loop(const std::vector<std::string>& cpu_features) {
  const auto has = [&](const char* feature) {
    return std::find(cpu_features.begin(), cpu_features.end(), feature) != cpu_features.end();
  };
#if defined(__x86_64__)
  if (has("avx512f")) return read<Avx512>;
  if (has("avx2")) return read<Avx2>;
#endif
  static_cast<void>(has);
  return read<Portable>;
}

}  // namespace attnrt::bench
