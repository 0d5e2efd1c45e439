// The collectives on matrices. A register of a fragment holds two halves that are neighbours in a
// row of 8, and four lanes hold a row: so a register of all lanes is an 8 x 8 matrix in memory.
#include <string.h>

#include <bit>
#include <utility>

#include "tests/simt/block.hpp"
#include "tests/simt/numbers.hpp"
#include "tests/simt/thread.hpp"

namespace attnrt::simt {
namespace {

static_assert(std::endian::native == std::endian::little);

// A row of b or c.
using Row = float __attribute__((vector_size(32)));

using Matrix = uint16_t[8][8];
static_assert(sizeof(Matrix) == sizeof(Warp::words[0]));

// Matrix i of those whose rows' addresses the lanes gave, each checked as an access of its lane.
void load_matrix(Block& block, const uint32_t (&addresses)[kWarpThreads], int first_thread, int i,
                 Matrix& to) {
  for (int row = 0; row < 8; ++row) {
    const int lane = 8 * i + row;
    memcpy(to[row], block.shared().read(first_thread + lane, addresses[lane], 16), 16);
  }
}

void transpose(Matrix& m) {
  for (int row = 0; row < 8; ++row) {
    for (int column = 0; column < row; ++column) std::swap(m[row][column], m[column][row]);
  }
}

[[gnu::always_inline]] inline void load(uint32_t (&to)[4], uint32_t row, Collective collective) {
  Block& block = *current_block;
  auto& words = block.warp().words;
  const int lane = block.lane();
  words[4][lane] = row;
  block.together(collective, [&](Warp& w, int first_thread) {
    for (int i = 0; i < 4; ++i) {
      Matrix m;
      load_matrix(block, w.words[4], first_thread, i, m);
      if (collective == Collective::kLoadMatricesTransposed) transpose(m);
      memcpy(w.words[i], m, sizeof(m));
    }
  });
  for (int i = 0; i < 4; ++i) to[i] = words[i][lane];
}

// Where the operands of mma lie in a warp's words.
constexpr int kA = 0;
constexpr int kB = 4;
constexpr int kC = 6;

// Quadrants of a: below each other first.
template <class Half>
void widen_a(const Warp& w, float (&a)[16][16]) {
  for (int i = 0; i < 4; ++i) {
    Matrix m;
    memcpy(m, w.words[kA + i], sizeof(m));
    for (int row = 0; row < 8; ++row) {
      float* to = &a[row + 8 * (i % 2)][8 * (i / 2)];
      for (int column = 0; column < 8; ++column) to[column] = widen<Half>(m[row][column]);
    }
  }
}

// The halves of b, which registers hold by columns.
template <class Half>
void widen_b(const Warp& w, Row (&b)[16]) {
  for (int i = 0; i < 2; ++i) {
    Matrix m;
    memcpy(m, w.words[kB + i], sizeof(m));
    transpose(m);
    for (int row = 0; row < 8; ++row) {
      for (int column = 0; column < 8; ++column) {
        b[8 * i + row][column] = widen<Half>(m[row][column]);
      }
    }
  }
}

// Four rows of c: the registers j and j + 1 of four lanes each, by turns. Four, since one alone
// would wait for itself.
void multiply_rows(const float (*a)[16], const Row (&b)[16], uint32_t* even, uint32_t* odd) {
  Row c[4];
  for (int i = 0; i < 16; ++i) {
    c[i / 4][i % 4 * 2] = std::bit_cast<float>(even[i]);
    c[i / 4][i % 4 * 2 + 1] = std::bit_cast<float>(odd[i]);
  }
  for (int k = 0; k < 16; ++k) {
    for (int row = 0; row < 4; ++row) c[row] += a[row][k] * b[k];
  }
  for (int i = 0; i < 16; ++i) {
    even[i] = std::bit_cast<uint32_t>(float{c[i / 4][i % 4 * 2]});
    odd[i] = std::bit_cast<uint32_t>(float{c[i / 4][i % 4 * 2 + 1]});
  }
}

template <class Half>
void multiply_fragments(Warp& w) {
  float a[16][16];
  Row b[16];
  widen_a<Half>(w, a);
  widen_b<Half>(w, b);
  for (int row = 0; row < 16; row += 4) {
    const int j = kC + row / 8 * 2;
    const int lane = row % 8 * 4;
    multiply_rows(&a[row], b, &w.words[j][lane], &w.words[j + 1][lane]);
  }
}

template <class Half>
constexpr Collective multiply_add_of();
template <>
constexpr Collective multiply_add_of<cuda::F16>() {
  return Collective::kMultiplyAddF16;
}
template <>
constexpr Collective multiply_add_of<cuda::Bf16>() {
  return Collective::kMultiplyAddBf16;
}

}  // namespace

void load_matrices(uint32_t (&to)[4], uint32_t row) {
  load(to, row, Collective::kLoadMatrices);
}
void load_matrices_transposed(uint32_t (&to)[4], uint32_t row) {
  load(to, row, Collective::kLoadMatricesTransposed);
}

template <class Half>
void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  Block& block = *current_block;
  auto& words = block.warp().words;
  const int lane = block.lane();
  for (int i = 0; i < 4; ++i) words[kA + i][lane] = a[i];
  words[kB][lane] = b0;
  words[kB + 1][lane] = b1;
  for (int i = 0; i < 4; ++i) words[kC + i][lane] = std::bit_cast<uint32_t>(c[i]);
  block.together(multiply_add_of<Half>(), [](Warp& w, int) { multiply_fragments<Half>(w); });
  for (int i = 0; i < 4; ++i) c[i] = std::bit_cast<float>(words[kC + i][lane]);
}
template void multiply_add<cuda::F16>(float (&)[4], const uint32_t (&)[4], uint32_t, uint32_t);
template void multiply_add<cuda::Bf16>(float (&)[4], const uint32_t (&)[4], uint32_t, uint32_t);

}  // namespace attnrt::simt
