// What the tile registers of a matrix unit are, as LDTILECFG takes it. Source: Intel 64 and IA-32
// Architectures Software Developer's Manual, chapter 20.
#pragma once

#include <stdint.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {

struct alignas(64) TileConfig {
  uint8_t palette;  // 1: eight tiles of 16 rows of 64 bytes at the most
  uint8_t start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(TileConfig) == 64);

// n query rows at once in scores, m weight rows at once in sums: 1 … 16 each. All through an item,
// where n is below 16:
//   0, 1  scores of 16 keys x n query rows     2  16 keys of K, or 32 keys x 16 columns of V
//   3     q, n rows                             4, 5  weights, m rows x 32 keys
//   6, 7  sums, m rows x 16 columns
// Where both are 16 all tiles are alike.
inline TileConfig tile_config(int n, int m) {
  TileConfig config{};
  config.palette = 1;
  for (int tile = 0; tile < 8; ++tile) {
    const bool of_queries = tile == 0 || tile == 1 || tile == 3;
    config.row_bytes[tile] = static_cast<uint16_t>(of_queries ? 4 * n : 64);
    config.rows[tile] = static_cast<uint8_t>(tile < 4 ? 16 : m);
  }
  return config;
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
