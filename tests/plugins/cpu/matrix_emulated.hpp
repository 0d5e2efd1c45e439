// The matrix unit of AMX on CPUs that have only AVX512-BF16: what matrix_amx.hpp asks of it, with
// its checks, so that the kernels over it are tested anywhere.
//
// Sums of a tile row are added pair by pair, as by AVX512-BF16; the unit adds those of even and odd
// values apart. Source: Intel 64 and IA-32 Architectures Software Developer's Manual, chapter 20.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/tile_config.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {

struct Matrix {
  struct Tile {
    int rows;
    int bytes;  // of a row
    alignas(64) uint8_t at[16][64];
  };
  static inline thread_local Tile tiles[8];
  static inline thread_local bool configured = false;

  static void configure(const TileConfig& config) {
    for (int t = 0; t < 8; ++t) {
      const int rows = config.rows[t];
      const int bytes = config.row_bytes[t];
      require(rows >= 1 && rows <= 16 && bytes >= 4 && bytes <= 64 && bytes % 4 == 0);
      memset(&tiles[t], 0, sizeof tiles[t]);
      tiles[t].rows = rows;
      tiles[t].bytes = bytes;
    }
    configured = config.palette == 1;
  }
  static void release() { configured = false; }

  template <int T>
  static void load(const void* from, int64_t stride) {
    zero<T>();
    for (int r = 0; r < tiles[T].rows; ++r) {
      memcpy(tiles[T].at[r], static_cast<const uint8_t*>(from) + r * stride,
             static_cast<size_t>(tiles[T].bytes));
    }
  }
  template <int T>
  static void store(void* to, int64_t stride) {
    require(configured);
    for (int r = 0; r < tiles[T].rows; ++r) {
      memcpy(static_cast<uint8_t*>(to) + r * stride, tiles[T].at[r],
             static_cast<size_t>(tiles[T].bytes));
    }
  }
  template <int T>
  static void zero() {
    require(configured);
    memset(tiles[T].at, 0, sizeof tiles[T].at);
  }
  template <int C, int A, int B>
  static void multiply() {
    require(configured && tiles[A].rows == tiles[C].rows && tiles[B].bytes == tiles[C].bytes &&
            tiles[B].rows >= tiles[A].bytes / 4);
    for (int m = 0; m < tiles[C].rows; ++m) {
      __m512 sum = _mm512_load_ps(tiles[C].at[m]);
      for (int k = 0; k < tiles[A].bytes / 4; ++k) {
        int32_t pair;
        memcpy(&pair, tiles[A].at[m] + 4 * k, sizeof pair);
        const auto b = (__m512bh)_mm512_load_si512(tiles[B].at[k]);
        sum = _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32(pair), b);
      }
      _mm512_store_ps(tiles[C].at[m], sum);
    }
  }

 private:
  // The unit raises #UD.
  static void require(bool holds) {
    if (!holds) abort();
  }
};

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
