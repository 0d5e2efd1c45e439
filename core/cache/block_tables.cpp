// The block tables of sequences: growth, forks with copy on write, and what a window lets go.
#include <algorithm>
#include <cassert>
#include <limits>
#include <string>
#include <utility>

#include "attnrt/blocks.hpp"

namespace attnrt {

BlockTables::BlockTables(BlockPool& pool, uint32_t group, int32_t block_size, int32_t window)
    : pool_(&pool), group_(group), block_size_(block_size), window_(window) {}

BlockTables::BlockTables(BlockTables&& other) noexcept
    : pool_(other.pool_),
      group_(other.group_),
      block_size_(other.block_size_),
      window_(other.window_),
      sequences_(std::exchange(other.sequences_, {})),
      unused_(std::exchange(other.unused_, {})) {}

BlockTables::~BlockTables() {
  for (size_t i = 0; i < sequences_.size(); ++i) {
    if (sequences_[i].live) remove(static_cast<int32_t>(i));
  }
}

int32_t BlockTables::add() {
  if (unused_.empty()) {
    sequences_.emplace_back();
    unused_.push_back(static_cast<int32_t>(sequences_.size() - 1));
  }
  const int32_t handle = unused_.back();
  unused_.pop_back();
  sequences_[static_cast<size_t>(handle)] = Sequence{0, {}, true};
  return handle;
}

int32_t BlockTables::fork(int32_t sequence) {
  const int32_t handle = add();
  const Sequence& from = sequences_[static_cast<size_t>(sequence)];
  Sequence& to = sequences_[static_cast<size_t>(handle)];
  to.length = from.length;
  to.blocks = from.blocks;
  for (const int32_t block : to.blocks) {
    if (block >= 0) pool_->share(group_, block);
  }
  return handle;
}

void BlockTables::remove(int32_t sequence) {
  Sequence& s = sequences_[static_cast<size_t>(sequence)];
  assert(s.live);
  for (const int32_t block : s.blocks) {
    if (block >= 0) pool_->release(group_, block);
  }
  s = Sequence{};
  unused_.push_back(sequence);
}

Status BlockTables::extend(int32_t sequence, int64_t tokens, std::vector<int64_t>& slots,
                           std::vector<BlockPair>& copies) {
  Sequence& s = sequences_[static_cast<size_t>(sequence)];
  if (tokens < 0 || tokens > std::numeric_limits<int32_t>::max() - s.length) {
    return Error{ErrorCode::kInvalid, "sequence " + std::to_string(sequence),
                 "at least 0 tokens, and a length below 2^31",
                 std::to_string(tokens) + " more than " + std::to_string(s.length),
                 "lengths are 32-bit"};
  }
  if (tokens == 0) return Done{};
  const int64_t end = s.length + tokens;
  const auto have = static_cast<int64_t>(s.blocks.size());
  const int64_t want = (end + block_size_ - 1) / block_size_;
  const bool partial = s.length % block_size_ != 0;
  const bool copy = partial && pool_->users(group_, s.blocks.back()) > 1;
  const int64_t fresh = want - have + (copy ? 1 : 0);
  if (pool_->available(group_) < fresh) {
    return Error{ErrorCode::kInvalid, "sequence " + std::to_string(sequence),
                 std::to_string(fresh) + " free blocks for " + std::to_string(tokens) + " tokens",
                 std::to_string(pool_->available(group_)),
                 "remove sequences, or give the pool more blocks"};
  }
  if (copy) {
    const int32_t shared = s.blocks.back();
    s.blocks.back() = *pool_->allocate(group_);
    pool_->release(group_, shared);
    copies.push_back({shared, s.blocks.back()});
  }
  while (static_cast<int64_t>(s.blocks.size()) < want) {
    s.blocks.push_back(*pool_->allocate(group_));
  }
  for (int64_t t = s.length; t < end; ++t) {
    const int64_t block = s.blocks[static_cast<size_t>(t / block_size_)];
    slots.push_back(block * block_size_ + t % block_size_);
  }
  s.length = end;
  return Done{};
}

void BlockTables::release_outside_window(int32_t sequence) {
  Sequence& s = sequences_[static_cast<size_t>(sequence)];
  const int64_t needed = first_needed_block(s.length + 1, 1, window_, block_size_);
  const int64_t end = std::min(needed, static_cast<int64_t>(s.blocks.size()));
  for (int64_t j = end; j > 0 && s.blocks[static_cast<size_t>(j - 1)] >= 0; --j) {
    int32_t& block = s.blocks[static_cast<size_t>(j - 1)];
    pool_->release(group_, block);
    block = -1;
  }
}

int64_t BlockTables::length(int32_t sequence) const {
  return sequences_[static_cast<size_t>(sequence)].length;
}

std::span<const int32_t> BlockTables::blocks(int32_t sequence) const {
  return sequences_[static_cast<size_t>(sequence)].blocks;
}

int64_t BlockTables::table(std::span<const int32_t> sequences, std::vector<int32_t>& out) const {
  size_t stride = 0;
  for (const int32_t s : sequences) stride = std::max(stride, blocks(s).size());
  out.assign(sequences.size() * stride, -1);
  for (size_t i = 0; i < sequences.size(); ++i) {
    const std::span<const int32_t> row = blocks(sequences[i]);
    std::copy(row.begin(), row.end(), out.begin() + static_cast<std::ptrdiff_t>(i * stride));
  }
  return static_cast<int64_t>(stride);
}

}  // namespace attnrt
