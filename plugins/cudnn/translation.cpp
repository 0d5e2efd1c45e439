#include "translation.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace attnrt::cudnn {
namespace {

constexpr int64_t kMostIndex = std::numeric_limits<int32_t>::max();

int32_t power_of_2(int64_t n) {
  plugin::require(n <= kMostIndex / 2, "a batch has a size of ", n, ", expected at most ",
                  kMostIndex / 2);
  return static_cast<int32_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(n, 1))));
}

// Queries of a sequence that see no key: always its first.
int32_t rows_without_keys(const Layer& layer, const plugin::Lengths& s) {
  if (layer.shape.causal) return std::max(0, s.q - s.kv);
  return s.kv == 0 ? s.q : 0;
}

// The page of the oldest key that a query sees.
int32_t first_page(const Layer& layer, const plugin::Lengths& s) {
  if (layer.shape.window == 0) return 0;
  const int64_t oldest = int64_t{s.kv} - s.q - layer.shape.window + 1;
  return static_cast<int32_t>(std::max<int64_t>(oldest, 0) / layer.shape.block_size);
}

}  // namespace

BatchShape shape_for(const Layer& layer, int64_t sequences, int64_t q_len, int64_t kv_len) {
  const int64_t page = layer.shape.block_size;
  plugin::require(layer.op != ATTNRT_OP_DECODE || q_len <= 1, "a sequence has ", q_len,
                  " query tokens, decode expects at most 1");
  return {power_of_2(sequences), power_of_2(q_len), power_of_2((kv_len + page - 1) / page)};
}

bool holds(const BatchShape& plan, const BatchShape& batch) {
  return plan.sequences >= batch.sequences && plan.q_len >= batch.q_len &&
         plan.width >= batch.width;
}

Arrays::Arrays(int32_t sequences) : bytes(0) {
  const auto next = [&](uint64_t n) {
    const uint64_t at = bytes;
    bytes += (n * sizeof(int32_t) + kArrayAlignment - 1) / kArrayAlignment * kArrayAlignment;
    return at;
  };
  const auto n = static_cast<uint64_t>(sequences);
  q_lengths = next(n);
  kv_lengths = next(n);
  q_offsets = next(n + 1);
  out_offsets = next(n + 1);
  stats_offsets = next(n + 1);
  first_rows = next(n);
  empty_rows = next(n);
  first_pages = next(n);
}

void translate(const Layer& layer, const std::vector<plugin::Lengths>& batch,
               const BatchShape& shape, void* to) {
  const Arrays at(shape.sequences);
  const auto array = [&](uint64_t offset) {
    return reinterpret_cast<int32_t*>(static_cast<uint8_t*>(to) + offset);
  };
  const LayerShape& l = layer.shape;
  int64_t tokens = 0;
  for (const plugin::Lengths& s : batch) tokens += s.q;
  const int64_t widest = int64_t{l.q_heads} * std::max(l.dim_qk, l.dim_v);
  plugin::require(tokens * widest <= kMostIndex, "a batch of ", tokens, " query tokens has ",
                  tokens * widest, " elements, cuDNN's offsets hold ", kMostIndex);

  int64_t row = 0;
  for (int32_t n = 0; n <= shape.sequences; ++n) {
    const auto i = static_cast<size_t>(n);
    const plugin::Lengths s = i < batch.size() ? batch[i] : plugin::Lengths{0, 0, 0};
    const int32_t empty = rows_without_keys(layer, s);
    const auto seen = static_cast<int32_t>(row) + empty;
    array(at.q_offsets)[n] = seen * l.q_heads * l.dim_qk;
    array(at.out_offsets)[n] = seen * l.q_heads * l.dim_v;
    array(at.stats_offsets)[n] = seen * l.q_heads;
    if (n == shape.sequences) break;  // offsets have one more
    const bool none = s.q == empty;
    array(at.q_lengths)[n] = s.q - empty;
    array(at.kv_lengths)[n] = none ? 0 : s.kv;
    array(at.first_rows)[n] = static_cast<int32_t>(row);
    array(at.empty_rows)[n] = empty;
    array(at.first_pages)[n] = none ? 0 : first_page(layer, s);
    row += s.q;
  }
}

}  // namespace attnrt::cudnn
