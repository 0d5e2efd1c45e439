// Which keys a query sees. The schedule (plugins/cpu) computes the same ranges to divide the work.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Visible are the keys in [low, high), of which those from tree_begin on only where their bit is
// set, and the keys in [low, prefix) too.
struct RowMask {
  int32_t low;
  int32_t high;
  int32_t prefix;
  int32_t tree_begin;
  const uint8_t* bits;
};

ATTNRT_INLINE bool visible(const RowMask& m, int32_t key) {
  if (key < m.low) return false;
  if (key < m.prefix) return true;
  if (key >= m.high) return false;
  if (key < m.tree_begin) return true;
  const int32_t bit = key - m.tree_begin;
  return ((m.bits[bit >> 3] >> (bit & 7)) & 1) != 0;
}

// Whether every key of [begin, end) is visible, without looking at bits.
ATTNRT_INLINE bool all_visible(const RowMask& m, int32_t begin, int32_t end) {
  if (begin < m.low) return false;
  return end <= m.prefix || (end <= m.high && end <= m.tree_begin);
}

ATTNRT_INLINE int32_t query_len(const AttendParams& p, int32_t sequence) {
  return p.batch.q_start[sequence + 1] - p.batch.q_start[sequence];
}

// Where query `i` of a sequence stands in its context.
ATTNRT_INLINE int32_t position_of(const AttendParams& p, int32_t sequence, int32_t i) {
  return p.batch.kv_len[sequence] - query_len(p, sequence) + i;
}

// The mask of query `i` (within its sequence).
inline RowMask row_mask(const AttendParams& p, int32_t sequence, int32_t i) {
  const int32_t kv_len = p.batch.kv_len[sequence];
  const int32_t q_len = query_len(p, sequence);
  const int32_t position = position_of(p, sequence, i);
  RowMask m{0, kv_len, 0, kv_len, nullptr};
  if (p.layer.window > 0 && position >= p.layer.window) m.low = position - p.layer.window + 1;
  switch (p.layer.mask) {
    case MaskKind::kPrefixLm:
      m.prefix = p.batch.prefix_len[sequence] < kv_len ? p.batch.prefix_len[sequence] : kv_len;
      m.high = position + 1;
      break;
    case MaskKind::kCausal:
      m.high = position + 1;
      break;
    case MaskKind::kTree: {
      m.tree_begin = kv_len - q_len;
      const int32_t row_bytes = (q_len + 7) / 8;
      m.bits = p.batch.tree_mask + p.batch.tree_offset[sequence] + int64_t{i} * row_bytes;
      break;
    }
    default:
      break;
  }
  return m;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
