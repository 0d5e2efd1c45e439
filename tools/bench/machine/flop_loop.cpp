#include "bench/machine/flop_loop.hpp"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#endif

namespace attnrt::bench {
namespace {

// Chains that do not wait for each other: more than latency times units, fewer than registers.
constexpr int kChains = 12;

// The compiler must take the value for changed, so that no round can be left out.
#define ATTNRT_OPAQUE(v) __asm__ volatile("" : "+v"(v))

// a * b + a stays near its size for ever: neither infinite nor subnormal.
constexpr float kFactor = 1e-6f;

bool run_portable(int64_t rounds) {
  using Vector [[gnu::vector_size(16)]] = float;
  constexpr int kPortableChains = 8;
  Vector sum[kPortableChains];
  for (int i = 0; i < kPortableChains; ++i) sum[i] = Vector{} + static_cast<float>(i + 1);
  const Vector factor = Vector{} + (1 - kFactor);
  const Vector addend = Vector{} + kFactor;
  for (int64_t r = 0; r < rounds; ++r) {
    for (Vector& s : sum) s = s * factor + addend;
#if defined(__x86_64__) || defined(__aarch64__)
    __asm__ volatile("" ::"m"(sum));
#endif
  }
  volatile float sink = 0;
  for (const Vector& s : sum) sink = sink + s[0];
  return true;
}
constexpr double kPortableFlop = 8 * 4 * 2;

#if defined(__x86_64__)

[[gnu::target("avx2,fma")]] bool run_fma_avx2(int64_t rounds) {
  __m256 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm256_set1_ps(static_cast<float>(i + 1));
  __m256 factor = _mm256_set1_ps(1 - kFactor);
  __m256 addend = _mm256_set1_ps(kFactor);
  for (int64_t r = 0; r < rounds; ++r) {
    _Pragma("GCC unroll 12") for (int i = 0; i < kChains; ++i) {
      sum[i] = _mm256_fmadd_ps(sum[i], factor, addend);
    }
    ATTNRT_OPAQUE(factor);
  }
  for (__m256& s : sum) ATTNRT_OPAQUE(s);
  return true;
}

[[gnu::target("avx512f")]] bool run_fma_avx512(int64_t rounds) {
  __m512 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i + 1));
  __m512 factor = _mm512_set1_ps(1 - kFactor);
  __m512 addend = _mm512_set1_ps(kFactor);
  for (int64_t r = 0; r < rounds; ++r) {
    _Pragma("GCC unroll 12") for (int i = 0; i < kChains; ++i) {
      sum[i] = _mm512_fmadd_ps(sum[i], factor, addend);
    }
    ATTNRT_OPAQUE(factor);
  }
  for (__m512& s : sum) ATTNRT_OPAQUE(s);
  return true;
}

[[gnu::target("avx512f,avx512bf16")]] bool run_bf16_avx512(int64_t rounds) {
  __m512 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i + 1));
  __m512 left = _mm512_set1_ps(kFactor);  // its bytes: pairs of small bf16
  __m512 right = _mm512_set1_ps(-kFactor);
  for (int64_t r = 0; r < rounds; ++r) {
    _Pragma("GCC unroll 12") for (int i = 0; i < kChains; ++i) {
      sum[i] = _mm512_dpbf16_ps(sum[i], reinterpret_cast<__m512bh>(left),
                                reinterpret_cast<__m512bh>(right));
    }
    ATTNRT_OPAQUE(left);
  }
  for (__m512& s : sum) ATTNRT_OPAQUE(s);
  return true;
}

// Tiles are the process's only once it has asked for them.
bool ask_for_tiles() {
  constexpr long kArchReqXcompPerm = 0x1023;
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
}

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

constexpr int kTiles = 8;  // four sums, two left, two right

[[gnu::target("amx-tile,amx-bf16")]] bool run_bf16_amx(int64_t rounds) {
  if (!ask_for_tiles()) return false;
  TileConfig config;
  for (int t = 0; t < kTiles; ++t) {
    config.row_bytes[t] = 64;
    config.rows[t] = 16;
  }
  // g++ 12 believes that the instruction reads a pointer's worth of it and leaves out the rest.
  __asm__ volatile("" ::"r"(&config) : "memory");
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int64_t r = 0; r < rounds; ++r) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return true;
}

constexpr double kTileFlop = 4.0 * 16 * 16 * 32 * 2;
#endif

}  // namespace

std::vector<FlopUnit> flop_units(const std::vector<std::string>& cpu_features) {
  const auto has = [&](const char* feature) {
    return std::find(cpu_features.begin(), cpu_features.end(), feature) != cpu_features.end();
  };
  std::vector<FlopUnit> units;
#if defined(__x86_64__)
  if (has("avx512f")) {
    units.push_back({"f32 FMA (AVX-512)", Operands::kF32, kChains * 16 * 2, run_fma_avx512});
  } else if (has("avx2") && has("fma")) {
    units.push_back({"f32 FMA (AVX2)", Operands::kF32, kChains * 8 * 2, run_fma_avx2});
  }
  if (has("avx512bf16")) {
    units.push_back({"bf16 dot (AVX-512)", Operands::kBf16, kChains * 32 * 2, run_bf16_avx512});
  }
  if (has("amx_tile") && has("amx_bf16")) {
    units.push_back({"bf16 tiles (AMX)", Operands::kBf16, kTileFlop, run_bf16_amx});
  }
#endif
  static_cast<void>(has);
  if (units.empty()) {
    units.push_back({"f32 multiply-add", Operands::kF32, kPortableFlop, run_portable});
  }
  return units;
}

}  // namespace attnrt::bench
