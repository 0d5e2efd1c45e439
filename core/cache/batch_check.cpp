// Checked mode: what a batch says is validated once, before any plugin reads it.
#include <algorithm>
#include <bit>
#include <string>

#include "attnrt/cache.hpp"

namespace attnrt {
namespace {

Error wrong(std::string where, std::string expected, std::string found, std::string remedy) {
  return Error{ErrorCode::kInvalid, std::move(where), std::move(expected), std::move(found),
               std::move(remedy)};
}

std::string at(const char* array, int64_t index) {
  return "batch, " + std::string(array) + "[" + std::to_string(index) + "]";
}

std::string sequence_text(int64_t sequence) {
  return ", sequence " + std::to_string(sequence);
}

std::string upto(int64_t last) {
  return "0 … " + std::to_string(last);
}

template <class T>
Status need(const char* array, const T& values, bool wanted) {
  if (!wanted || values.device != nullptr || values.host != nullptr) return Done{};
  return wrong("batch, " + std::string(array), "a pointer", "null",
               "give the array, on the device or on the host");
}

Status check_bound(const char* what, int64_t value, int64_t bound) {
  if (value >= 0 && (bound == 0 || value <= bound)) return Done{};
  return wrong("batch, " + std::string(what),
               bound == 0 ? "at least 0" : upto(bound) + ", the session's bound",
               std::to_string(value), "split the batch, or open the session with larger bounds");
}

Status check_sizes(const attnrt_batch& b, const BatchLimits& limits) {
  if (b.struct_size != sizeof(attnrt_batch)) {
    return wrong("batch, struct_size", std::to_string(sizeof(attnrt_batch)),
                 std::to_string(b.struct_size), "set it to sizeof(attnrt_batch), zero the rest");
  }
  const std::pair<const char*, std::pair<int64_t, int64_t>> sizes[] = {
      {"sequences", {b.sequences, limits.bounds.sequences}},
      {"tokens", {b.tokens, limits.bounds.tokens}},
      {"max_q_len", {b.max_q_len, limits.bounds.q_len}},
      {"max_kv_len", {b.max_kv_len, limits.bounds.kv_len}},
      {"block_table_stride", {b.block_table_stride, 0}},
  };
  for (const auto& [what, value] : sizes) {
    if (Status s = check_bound(what, value.first, value.second); !s) return s;
  }
  const bool some = b.sequences > 0;
  if (Status s = need("q_start", b.q_start, some); !s) return s;
  if (Status s = need("kv_len", b.kv_len, some); !s) return s;
  if (Status s = need("block_table", b.block_table, some && b.block_table_stride > 0); !s) return s;
  if (Status s = need("prefix_len", b.prefix_len, some && limits.prefix_lm); !s) return s;
  if (Status s = need("tree_mask", b.tree_mask, b.tokens > 0 && limits.tree_mask); !s) return s;
  return need("tree_offset", b.tree_offset, some && limits.tree_mask);
}

Status check_q_start(const attnrt_batch& b) {
  const int32_t* q = b.q_start.host;
  if (q == nullptr) return Done{};
  if (q[0] != 0) {
    return wrong(at("q_start", 0), "0", std::to_string(q[0]), "tokens are packed from 0");
  }
  for (int32_t i = 0; i < b.sequences; ++i) {
    const int64_t length = int64_t{q[i + 1]} - q[i];
    if (length < 0 || length > b.max_q_len) {
      return wrong(at("q_start", i + 1) + sequence_text(i),
                   std::to_string(q[i]) + " … " + std::to_string(int64_t{q[i]} + b.max_q_len) +
                       " (ascending, at most max_q_len more than before)",
                   std::to_string(q[i + 1]), "q_start holds sums of the query lengths");
    }
  }
  if (q[b.sequences] == b.tokens) return Done{};
  return wrong(at("q_start", b.sequences), std::to_string(b.tokens) + ", the batch's tokens",
               std::to_string(q[b.sequences]), "the last entry is the number of tokens");
}

Status check_lengths(const attnrt_batch& b, const BatchLimits& limits) {
  if (b.kv_len.host == nullptr) return Done{};
  const int64_t room = b.block_table_stride * limits.block_size;
  const int64_t most = std::min(b.max_kv_len, room);
  for (int32_t i = 0; i < b.sequences; ++i) {
    const int32_t length = b.kv_len.host[i];
    if (length >= 0 && length <= most) continue;
    return wrong(at("kv_len", i),
                 upto(most) + (room < b.max_kv_len ? " (what the block table has room for)"
                                                   : " (max_kv_len)"),
                 std::to_string(length), "kv_len counts the keys after this step's append");
  }
  return Done{};
}

Status check_blocks(const attnrt_batch& b, const BatchLimits& limits) {
  if (b.block_table.host == nullptr || b.kv_len.host == nullptr || b.q_start.host == nullptr) {
    return Done{};
  }
  const auto blocks = static_cast<uint64_t>(limits.blocks);
  for (int32_t i = 0; i < b.sequences; ++i) {
    const int32_t* row = b.block_table.host + i * b.block_table_stride;
    const int64_t q_len = b.q_start.host[i + 1] - b.q_start.host[i];
    const int64_t kv_len = b.kv_len.host[i];
    if (q_len == 0) continue;  // no query, so nothing is read
    const int64_t first = first_needed_block(kv_len, q_len, limits.window, limits.block_size);
    const int64_t end = (kv_len + limits.block_size - 1) / limits.block_size;
    for (int64_t j = first; j < end; ++j) {
      if (static_cast<uint64_t>(int64_t{row[j]}) < blocks) continue;
      return wrong(at("block_table", i) + "[" + std::to_string(j) + "]" + sequence_text(i),
                   "a block id in " + upto(limits.blocks - 1), std::to_string(row[j]),
                   "keys " + std::to_string(j * limits.block_size) + " and on of " +
                       std::to_string(kv_len) + " stand there");
    }
  }
  return Done{};
}

Status check_masks(const attnrt_batch& b, const BatchLimits& limits) {
  for (int32_t i = 0; i < b.sequences; ++i) {
    if (limits.prefix_lm && b.prefix_len.host != nullptr && b.kv_len.host != nullptr) {
      const int32_t prefix = b.prefix_len.host[i];
      if (prefix < 0 || prefix > b.kv_len.host[i]) {
        return wrong(at("prefix_len", i), upto(b.kv_len.host[i]) + " (the sequence's kv_len)",
                     std::to_string(prefix), "a prefix is a part of the sequence");
      }
    }
    if (!limits.tree_mask) continue;
    if (b.tree_offset.host != nullptr && b.tree_offset.host[i] < 0) {
      return wrong(at("tree_offset", i), "at least 0", std::to_string(b.tree_offset.host[i]),
                   "byte offset of the sequence's first mask row");
    }
    if (b.q_start.host == nullptr || b.kv_len.host == nullptr) continue;
    const int32_t q_len = b.q_start.host[i + 1] - b.q_start.host[i];
    if (q_len > b.kv_len.host[i]) {
      return wrong(at("kv_len", i), "at least the " + std::to_string(q_len) + " keys of the tree",
                   std::to_string(b.kv_len.host[i]), "the tree masks the last q_len keys");
    }
  }
  return Done{};
}

uint64_t hash(int64_t slot) {
  const uint64_t mixed = static_cast<uint64_t>(slot) * 0x9e3779b97f4a7c15u;
  return mixed ^ (mixed >> 32);
}

}  // namespace

int64_t first_needed_block(int64_t kv_len, int64_t q_len, int32_t window, int32_t block_size) {
  if (window <= 0) return 0;
  const int64_t first_key = kv_len - q_len - window + 1;
  return std::max<int64_t>(first_key, 0) / block_size;
}

Status BatchChecker::check_slots(const attnrt_batch& batch, const BatchLimits& limits) {
  const int64_t* slots = batch.slot_mapping.host;
  if (slots == nullptr) return Done{};
  const int64_t end = limits.blocks * limits.block_size;
  int64_t last = -1;
  bool ascending = true;
  for (int32_t i = 0; i < batch.tokens; ++i) {
    if (slots[i] < -1 || slots[i] >= end) {
      return wrong(at("slot_mapping", i), "-1 (skip) or " + upto(end - 1), std::to_string(slots[i]),
                   "a slot is block id * block size + offset");
    }
    if (slots[i] < 0) continue;
    ascending = ascending && slots[i] > last;
    last = slots[i];
  }
  if (ascending) return Done{};  // then none stands twice

  const size_t size = std::bit_ceil(static_cast<size_t>(batch.tokens) * 2);
  if (seen_.size() < size) seen_.resize(size);
  std::fill_n(seen_.begin(), size, int64_t{-1});
  for (int32_t i = 0; i < batch.tokens; ++i) {
    if (slots[i] < 0) continue;
    size_t place = hash(slots[i]) & (size - 1);
    while (seen_[place] >= 0 && slots[seen_[place]] != slots[i]) place = (place + 1) & (size - 1);
    if (seen_[place] >= 0) {
      return wrong(at("slot_mapping", i), "a slot of its own",
                   std::to_string(slots[i]) + ", as at [" + std::to_string(seen_[place]) + "]",
                   "two tokens can't be stored in one slot; use -1 to skip one");
    }
    seen_[place] = i;
  }
  return Done{};
}

Status BatchChecker::check(const attnrt_batch& batch, const BatchLimits& limits) {
  if (Status s = check_sizes(batch, limits); !s) return s;
  if (batch.sequences == 0 && batch.tokens != 0) {
    return wrong("batch, tokens", "0 without sequences", std::to_string(batch.tokens),
                 "tokens belong to sequences");
  }
  if (batch.sequences == 0) return Done{};
  if (Status s = check_q_start(batch); !s) return s;
  if (Status s = check_lengths(batch, limits); !s) return s;
  if (Status s = check_blocks(batch, limits); !s) return s;
  if (Status s = check_masks(batch, limits); !s) return s;
  return check_slots(batch, limits);
}

}  // namespace attnrt
