// Where the rows of a range of keys stand: the block table walked once per tile.
#pragma once

#include <string.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Up to kTile keys of an item's first KV head; those of the others stand multiples of
// the head stride behind. k is filled up to a multiple of 4 with the last row: kernels read keys in
// fours. Scales are there where the format has them, v's where V has rows of its own.
struct KeyRows {
  const uint8_t* k[kTile];
  const uint8_t* v[kTile];
  const uint8_t* k_scales[kTile];
  const uint8_t* v_scales[kTile];
  int n;
};

ATTNRT_INLINE float load_scale(const uint8_t* at) {
  float x;
  memcpy(&x, at, sizeof x);
  return x;
}

// The scales of a block's slots [slot, slot + n).
ATTNRT_INLINE void list_scales(const SideView& side, int64_t block, int64_t head, int slot, int n,
                               const uint8_t** to) {
  if (side.scales == nullptr) return;
  const uint8_t* first =
      side.scales + block * side.scale_block_stride + head * side.scale_head_stride;
  for (int i = 0; i < n; ++i) to[i] = first + (slot + i) * side.scale_token_stride;
}

inline void find_rows(const AttendParams& p, const QueryRows& q, int32_t begin, int32_t end,
                      KeyRows& rows) {
  const int64_t head = q.kv_head;
  const int32_t* table = p.batch.block_table + int64_t{q.sequence} * p.batch.block_table_stride;
  const int32_t size = p.layer.block_size;
  const bool latent = p.layer.latent != 0;
  rows.n = end - begin < kTile ? end - begin : kTile;
  int t = 0;
  int32_t column = begin / size;
  int32_t slot = begin % size;
  while (t < rows.n) {
    const int64_t block = table[column++];
    const uint8_t* k = p.k.data + block * p.k.block_stride + head * p.k.head_stride;
    const uint8_t* v = latent ? k : p.v.data + block * p.v.block_stride + head * p.v.head_stride;
    const int64_t v_stride = latent ? p.k.token_stride : p.v.token_stride;
    const int count = size - slot < rows.n - t ? size - slot : rows.n - t;
    list_scales(p.k, block, head, slot, count, rows.k_scales + t);
    if (!latent) list_scales(p.v, block, head, slot, count, rows.v_scales + t);
    for (const int stop = t + count; t < stop; ++slot, ++t) {
      rows.k[t] = k + slot * p.k.token_stride;
      rows.v[t] = v + slot * v_stride;
    }
    slot = 0;
  }
  for (; t < kTile && (t % 4 != 0); ++t) {
    rows.k[t] = rows.k[rows.n - 1];
    rows.k_scales[t] = rows.k_scales[rows.n - 1];
  }
}

// Asks for memory that is needed soon, always so many bytes ahead of what is in use: a tile's rows
// of K, those of V, then the next tile's. A few lines at a time, since a burst would fill the
// core's miss buffers and stop it; in the order of memory, heads within tokens, so that the
// hardware's own prefetcher joins in.
class Prefetcher {
 public:
  // k_bytes, v_bytes: of a head's row. V has no rows of its own where the cache is latent.
  Prefetcher(const AttendParams& p, int heads, int k_bytes, int v_bytes, int64_t ahead)
      : span_{(heads - 1) * p.k.head_stride + k_bytes,
              p.layer.latent != 0 ? 0 : (heads - 1) * p.v.head_stride + v_bytes},
        ahead_(ahead) {}

  // A tile begins, of which some is on its way; `next` may be null. Both stay where they are until
  // the next tile begins, which is `next`.
  void begin_tile(const KeyRows& tile, const KeyRows* next) {
    const bool elsewhere = run_ < of_tile_ || run_ == count_;
    run_ = run_ < of_tile_ ? 0 : run_ - of_tile_;
    count_ = 0;
    add_runs(tile);
    of_tile_ = count_;
    if (next != nullptr) add_runs(*next);
    if (elsewhere) begin_run();
    wanted_ = ahead_ - asked();
    fetch();
  }

  // `bytes` more are in use.
  inline __attribute__((always_inline)) void use(int64_t bytes) {
    wanted_ += bytes;
    fetch();
  }

 private:
  static constexpr int kLine = 64;
  struct Run {
    const uint8_t* const* rows;
    int keys;
    int64_t span;
  };

  void add_runs(const KeyRows& tile) {
    runs_[count_++] = {tile.k, tile.n, span_[0]};
    if (span_[1] != 0) runs_[count_++] = {tile.v, tile.n, span_[1]};
  }

  void begin_run() {
    if (run_ == count_) return;
    const Run& run = runs_[run_];
    row_ = run.rows;
    last_row_ = run.rows + run.keys;
    line_ = *row_;
    end_ = line_ + run.span;
  }

  // Bytes of the runs that were asked for.
  [[nodiscard]] int64_t asked() const {
    int64_t bytes = 0;
    for (int i = 0; i < run_; ++i) bytes += runs_[i].keys * runs_[i].span;
    if (run_ < count_) bytes += (row_ - runs_[run_].rows) * runs_[run_].span + (line_ - *row_);
    return bytes;
  }

  inline __attribute__((always_inline)) void next_row() {
    if (++row_ < last_row_) {
      line_ = *row_;
      end_ = line_ + runs_[run_].span;
    } else {
      ++run_;
      begin_run();
    }
  }

  inline __attribute__((always_inline)) void fetch() {
    while (wanted_ > 0 && run_ < count_) {
      const int64_t left = end_ - line_;
      const uint8_t* const stop = wanted_ < left ? line_ + wanted_ : end_;
      const uint8_t* line = line_;
      for (; line < stop; line += kLine) __builtin_prefetch(line, 0, 3);
      wanted_ -= line < end_ ? line - line_ : left;
      line_ = line;
      if (line >= end_) next_row();
    }
  }

  int64_t span_[2];  // from a token's first byte to its last
  int64_t ahead_;
  int64_t wanted_ = 0;  // bytes that are still to be asked for
  Run runs_[4];
  int count_ = 0;
  int of_tile_ = 0;  // runs of the tile in use, the first ones
  int run_ = 0;
  const uint8_t* const* row_ = nullptr;  // of the run
  const uint8_t* const* last_row_ = nullptr;
  const uint8_t* line_ = nullptr;  // the next one of the row
  const uint8_t* end_ = nullptr;   // of the row
};

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
