#include "tests/simt/thread.hpp"

#include <algorithm>

#include "tests/simt/block.hpp"

namespace attnrt::simt {

int thread_index() {
  return current_block->thread();
}
int block_index() {
  return current_block->index();
}

uint32_t shared_memory() {
  return SharedMemory::kBase;
}
const uint8_t* read_shared(uint32_t at, uint32_t bytes) {
  Block& block = *current_block;
  return block.shared().read(block.thread(), at, bytes);
}
uint8_t* write_shared(uint32_t at, uint32_t bytes) {
  Block& block = *current_block;
  return block.shared().write(block.thread(), at, bytes);
}

void sync_block() {
  current_block->sync_block();
}
void sync_warp() {
  Block& block = *current_block;
  block.together(Collective::kSyncWarp, [&](Warp&, int first_thread) {
    block.shared().order_warp(first_thread / kWarpThreads);
  });
}

void copy_async(uint32_t to, const void* from, uint32_t bytes, bool valid) {
  current_block->copy_async(to, from, bytes, valid);
}
void commit_copies() {
  current_block->commit_copies();
}
void wait_copies(int pending) {
  current_block->wait_copies(pending);
}

bool has_bulk_copies() {
  return current_block->has_bulk_copies();
}
void init_landing(uint32_t landing) {
  current_block->init_landing(landing);
}
void expect_landing(uint32_t landing, uint32_t bytes) {
  current_block->expect_landing(landing, bytes);
}
void copy_bulk(uint32_t to, const void* from, uint32_t bytes, uint32_t landing) {
  current_block->copy_bulk(to, from, bytes, landing);
}
void wait_landing(uint32_t landing, uint32_t parity) {
  current_block->wait_landing(landing, parity);
}

uint32_t shuffle_xor(uint32_t x, int mask) {
  Block& block = *current_block;
  auto& words = block.warp().words;
  const int lane = block.lane();
  words[0][lane] = x;
  words[1][lane] = static_cast<uint32_t>(lane ^ mask) % kWarpThreads;  // from which lane
  block.together(Collective::kShuffleXor, [](Warp& w, int) {
    for (int i = 0; i < kWarpThreads; ++i) w.words[2][i] = w.words[0][w.words[1][i]];
  });
  return words[2][lane];
}

bool any_lane(bool x) {
  Block& block = *current_block;
  auto& words = block.warp().words;
  const int lane = block.lane();
  words[0][lane] = x ? 1 : 0;
  block.together(Collective::kAnyLane, [](Warp& w, int) {
    const uint32_t any = *std::max_element(w.words[0], w.words[0] + kWarpThreads);
    std::fill_n(w.words[1], kWarpThreads, any);
  });
  return words[1][lane] != 0;
}

}  // namespace attnrt::simt
