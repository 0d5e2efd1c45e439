// A block a sequence.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/page_tables.hpp"

namespace attnrt::cuda {
namespace {

constexpr int kThreadsOf = 256;

ATTNRT_DEVICE void write_pages(const PageTableParams& p, int sequence) {
  const int pages = (p.kv_lengths[sequence] + p.block_size - 1) / p.block_size;
  const int first = p.first_pages[sequence];
  const int32_t* blocks = p.table->blocks + sequence * p.table->stride;
  const int64_t row = static_cast<int64_t>(sequence) * p.width;
  for (int i = thread_index(); i < p.width; i += kThreadsOf) {
    int block = 0;
    if (pages > 0) block = blocks[i < first ? first : (i < pages ? i : pages - 1)];
    p.k_table[row + i] = block * p.k_pages_per_block;
    p.v_table[row + i] = block * p.v_pages_per_block;
  }
}

ATTNRT_DEVICE void write_empty_rows(const PageTableParams& p, int sequence) {
  const int64_t first = p.first_rows[sequence];
  const int64_t rows = p.empty_rows[sequence];
  auto* out = reinterpret_cast<uint32_t*>(p.out + first * p.row_bytes);
  for (int64_t i = thread_index(); i < rows * (p.row_bytes / 4); i += kThreadsOf) out[i] = 0;
  if (p.lse == nullptr) return;
  for (int64_t i = thread_index(); i < rows * p.heads; i += kThreadsOf) {
    p.lse[first * p.heads + i] = -__builtin_huge_valf();
  }
}

ATTNRT_KERNEL(kThreadsOf, 1) page_tables(const ATTNRT_ARGUMENT PageTableParams p) {
  const int sequence = block_index();
  write_pages(p, sequence);
  write_empty_rows(p, sequence);
}

}  // namespace

const char* prepare_page_tables() {
  return prepare(page_tables, 0);
}

const char* launch_page_tables(void* stream, const PageTableParams& p) {
  return launch(page_tables, {p.sequences, kThreadsOf, 0, stream}, p);
}

}  // namespace attnrt::cuda
