// The pool: chunks lent to groups, blocks handed out and counted.
#include <cassert>
#include <string>
#include <utility>

#include "attnrt/blocks.hpp"

namespace attnrt {
BlockPool::BlockPool(PoolLayout layout, int64_t chunks)
    : layout_(std::move(layout)), chunks_(chunks), chunk_(static_cast<size_t>(chunks)) {
  for (int64_t c = chunks; c > 0; --c) free_chunks_.push_back(c - 1);
  for (const PoolGroup& g : layout_.groups) {
    free_.emplace_back();
    users_.emplace_back(static_cast<size_t>(chunks * g.blocks_per_chunk), 0);
  }
}

void BlockPool::lend(uint32_t group, int64_t chunk) {
  chunk_[static_cast<size_t>(chunk)].group = static_cast<int32_t>(group);
  const int64_t per_chunk = layout_.groups[group].blocks_per_chunk;
  for (int64_t i = per_chunk; i > 0; --i) {
    free_[group].push_back(static_cast<int32_t>(chunk * per_chunk + i - 1));
  }
}

void BlockPool::take_back(uint32_t group, int64_t chunk) {
  chunk_[static_cast<size_t>(chunk)].group = -1;
  const int64_t per_chunk = layout_.groups[group].blocks_per_chunk;
  std::erase_if(free_[group], [&](int32_t block) { return block / per_chunk == chunk; });
  free_chunks_.push_back(chunk);
}

Result<int32_t> BlockPool::allocate(uint32_t group) {
  assert(group < free_.size());
  if (free_[group].empty() && free_chunks_.empty()) {
    // Chunks without a block in use stay with their group until another one needs them.
    for (size_t c = 0; c < chunk_.size() && free_chunks_.empty(); ++c) {
      if (chunk_[c].group >= 0 && chunk_[c].used == 0) {
        take_back(static_cast<uint32_t>(chunk_[c].group), static_cast<int64_t>(c));
      }
    }
  }
  if (free_[group].empty()) {
    if (free_chunks_.empty()) {
      return Error{ErrorCode::kInvalid, "pool of blocks, group " + std::to_string(group),
                   "a free block", "all " + std::to_string(blocks(group)) + " are in use",
                   "free sequences, or give the pool more blocks"};
    }
    lend(group, free_chunks_.back());
    free_chunks_.pop_back();
  }
  const int32_t block = free_[group].back();
  free_[group].pop_back();
  users_[group][static_cast<size_t>(block)] = 1;
  ++chunk_[static_cast<size_t>(block / layout_.groups[group].blocks_per_chunk)].used;
  return block;
}

void BlockPool::share(uint32_t group, int32_t block) {
  assert(users(group, block) > 0);
  ++users_[group][static_cast<size_t>(block)];
}

void BlockPool::release(uint32_t group, int32_t block) {
  assert(users(group, block) > 0);
  if (--users_[group][static_cast<size_t>(block)] > 0) return;
  --chunk_[static_cast<size_t>(block / layout_.groups[group].blocks_per_chunk)].used;
  free_[group].push_back(block);
}

int32_t BlockPool::users(uint32_t group, int32_t block) const {
  return users_[group][static_cast<size_t>(block)];
}

int64_t BlockPool::blocks(uint32_t group) const {
  return static_cast<int64_t>(users_[group].size());
}

int64_t BlockPool::available(uint32_t group) const {
  int64_t chunks = static_cast<int64_t>(free_chunks_.size());
  for (const Chunk& c : chunk_) {
    if (c.group >= 0 && c.group != static_cast<int32_t>(group) && c.used == 0) ++chunks;
  }
  return static_cast<int64_t>(free_[group].size()) +
         chunks * layout_.groups[group].blocks_per_chunk;
}

}  // namespace attnrt
