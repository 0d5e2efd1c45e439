// Blocks: one pool of memory that all cache groups share, and the block tables of sequences.
//
// How the pool is cut for its groups is pool.hpp's. Nothing here touches the memory: ids only.
// One thread at a time. Ids are int32, offsets int64.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "attnrt/cache.hpp"
#include "attnrt/pool.hpp"
#include "attnrt/result.hpp"

namespace attnrt {

// Hands out block ids and counts their users.
class BlockPool {
 public:
  BlockPool(PoolLayout layout, int64_t chunks);

  // A block of the group, used once. Error (kInvalid) when the pool is full.
  Result<int32_t> allocate(uint32_t group);
  // One more user. Precondition: the block is in use.
  void share(uint32_t group, int32_t block);
  // One user less; the last one frees the block. Precondition: the block is in use.
  void release(uint32_t group, int32_t block);

  int32_t users(uint32_t group, int32_t block) const;  // 0: free
  int64_t blocks(uint32_t group) const;                // ids are below this
  int64_t available(uint32_t group) const;             // blocks that allocate could still give
  int64_t bytes() const { return chunks_ * layout_.chunk_bytes; }
  const PoolLayout& layout() const { return layout_; }

 private:
  struct Chunk {
    int32_t group = -1;  // -1: lent to nobody
    int32_t used = 0;    // blocks in use
  };
  void lend(uint32_t group, int64_t chunk);
  void take_back(uint32_t group, int64_t chunk);

  PoolLayout layout_;
  int64_t chunks_;
  std::vector<Chunk> chunk_;
  std::vector<int64_t> free_chunks_;
  std::vector<std::vector<int32_t>> free_;   // per group: ids of lent chunks, the last freed last
  std::vector<std::vector<int32_t>> users_;  // per group and id
};

// The block tables of one group's sequences.
class BlockTables {
 public:
  // pool outlives the tables. window 0: full attention.
  BlockTables(BlockPool& pool, uint32_t group, int32_t block_size, int32_t window = 0);
  ~BlockTables();
  BlockTables(BlockTables&&) noexcept;
  BlockTables& operator=(BlockTables&&) = delete;

  int32_t add();                   // an empty sequence; returns its handle
  int32_t fork(int32_t sequence);  // another with the same tokens; blocks are shared
  void remove(int32_t sequence);

  // Room for `tokens` more. Their slots are appended to `slots`; a shared block that they would
  // write into is replaced by a copy of its own, which the caller makes (`copies`) before storing.
  // On error nothing has changed.
  Status extend(int32_t sequence, int64_t tokens, std::vector<int64_t>& slots,
                std::vector<BlockPair>& copies);
  // Gives back blocks that no query at or after the present length can see; their entries become
  // -1.
  void release_outside_window(int32_t sequence);

  int64_t length(int32_t sequence) const;  // tokens
  std::span<const int32_t> blocks(int32_t sequence) const;
  // The block table of a batch, [sequences, stride], -1 where a sequence has no block; returns
  // the stride.
  int64_t table(std::span<const int32_t> sequences, std::vector<int32_t>& out) const;

 private:
  struct Sequence {
    int64_t length = 0;
    std::vector<int32_t> blocks;
    bool live = false;
  };
  BlockPool* pool_;
  uint32_t group_;
  int32_t block_size_;
  int32_t window_;
  std::vector<Sequence> sequences_;
  std::vector<int32_t> unused_;  // handles to use again
};

}  // namespace attnrt
