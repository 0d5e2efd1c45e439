// How one pool of memory is cut for all cache groups: arithmetic on sizes, pure. What a plan counts
// and what a session's pool (blocks.hpp) takes come from here alone.
//
// A group's block holds one page of each of its layers, so a block id serves all layers of the
// group. Groups differ in layers, block size and page bytes; the pool is divided into equal chunks,
// each lent to one group at a time and cut there into that group's blocks. So groups share memory
// without padding pages to a common size. What is lost is alignment, and what a chunk has left
// over.
#pragma once

#include <cstdint>
#include <vector>

namespace attnrt {

// How a group cuts a chunk. Page of (layer l of the group, block b): b * block_stride + l *
// page_stride.
struct PoolGroup {
  int32_t layers = 1;
  int64_t page_bytes = 0;    // of one layer, as stored
  int64_t page_stride = 0;   // between layers: page_bytes rounded up to the pool's alignment
  int64_t block_stride = 0;  // between blocks; divides the chunk
  int32_t blocks_per_chunk = 0;
  int64_t whole_bytes = 1;  // blocks begin at multiples of it: for kernels that count in pages
};
struct PoolLayout {
  int64_t chunk_bytes = 0;
  std::vector<PoolGroup> groups;
};
inline constexpr int64_t kPoolAlignment = 64;  // bytes; of every page, for vector loads

// Chooses the chunk that wastes least. Of `groups` layers, page_bytes and whole_bytes are read.
// Precondition: at least one group; all three at least 1.
PoolLayout pool_layout(std::vector<PoolGroup> groups);
// Chunks that hold `blocks` blocks of every group at once.
int64_t chunks_for(const PoolLayout& layout, int64_t blocks);
// Bytes that a token takes in all layers of a group that is cut so, with what is lost.
double bytes_per_token(const PoolGroup& cut, int32_t block_size);

}  // namespace attnrt
