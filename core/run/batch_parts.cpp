#include "run/batch_parts.hpp"

#include <algorithm>

namespace attnrt::runtime {
namespace {

// The same array from `offset` on.
template <class Array>
Array tail(const Array& array, int64_t offset) {
  Array shifted = array;
  if (shifted.device != nullptr) shifted.device += offset;
  if (shifted.host != nullptr) shifted.host += offset;
  return shifted;
}

// Runs of sequences that go the same way.
void split_by_length(const attnrt_batch& b, int32_t decode_tokens, std::vector<BatchPart>& out) {
  const int32_t* q = b.q_start.host;
  for (int32_t i = 0; i < b.sequences; ++i) {
    const int32_t length = q[i + 1] - q[i];
    const Op op = length <= decode_tokens ? Op::kDecode : Op::kPrefill;
    if (!out.empty() && (length == 0 || out.back().op == op)) {
      out.back().end = i + 1;
    } else if (!out.empty() && q[out.back().first] == q[i]) {  // no query yet: goes with this one
      out.back().op = op;
      out.back().end = i + 1;
    } else {
      out.push_back({op, i, i + 1});
    }
  }
}

// Everything between the first and the last long sequence is prefill.
void join_inner_parts(std::vector<BatchPart>& parts) {
  const auto is_prefill = [](const BatchPart& p) { return p.op == Op::kPrefill; };
  const auto first = std::find_if(parts.begin(), parts.end(), is_prefill);
  if (first == parts.end()) return;
  auto last = first;
  for (auto p = first; p != parts.end(); ++p) {
    if (is_prefill(*p)) last = p;
  }
  first->end = last->end;
  parts.erase(first + 1, last + 1);
}

}  // namespace

void split_batch(const attnrt_batch& batch, const SplitRule& rule, std::vector<BatchPart>& out) {
  out.clear();
  if (batch.sequences == 0 || batch.tokens == 0) return;
  if (batch.max_q_len <= rule.decode_tokens) {
    out.push_back({Op::kDecode, 0, batch.sequences});
    return;
  }
  if (batch.q_start.host == nullptr) {  // lengths are the device's: one call for all
    out.push_back(
        {rule.mixed && !rule.batch_invariant ? Op::kMixed : Op::kPrefill, 0, batch.sequences});
    return;
  }
  split_by_length(batch, rule.decode_tokens, out);
  if (rule.batch_invariant || out.size() == 1) return;
  if (rule.mixed) {
    out.assign(1, {Op::kMixed, 0, batch.sequences});
  } else {
    join_inner_parts(out);
  }
}

attnrt_batch part_of(const attnrt_batch& batch, const BatchPart& part, int32_t* q_start) {
  if (part.first == 0 && part.end == batch.sequences) return batch;
  attnrt_batch b = batch;
  const int32_t* q = batch.q_start.host;
  const int32_t first_token = q[part.first];
  b.sequences = part.end - part.first;
  b.tokens = q[part.end] - first_token;
  b.kv_len = tail(batch.kv_len, part.first);
  b.block_table = tail(batch.block_table, part.first * batch.block_table_stride);
  b.slot_mapping = tail(batch.slot_mapping, first_token);
  b.prefix_len = tail(batch.prefix_len, part.first);
  b.tree_offset = tail(batch.tree_offset, part.first);
  b.max_q_len = 0;
  for (int32_t i = part.first; i < part.end; ++i) {
    b.max_q_len = std::max(b.max_q_len, q[i + 1] - q[i]);
  }
  if (batch.kv_len.host != nullptr) {
    b.max_kv_len = *std::max_element(b.kv_len.host, b.kv_len.host + b.sequences);
  }
  b.q_start = tail(batch.q_start, part.first);
  if (first_token == 0) return b;
  for (int32_t i = part.first; i <= part.end; ++i) q_start[i - part.first] = q[i] - first_token;
  b.q_start = {q_start, q_start};
  return b;
}

}  // namespace attnrt::runtime
