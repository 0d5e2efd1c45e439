#include "pages.hpp"

#include <algorithm>

namespace attnrt::flashinfer {
namespace {

using plugin::Lengths;
using plugin::require;

constexpr int64_t pages_of(int64_t keys, int32_t block_size) {
  return (keys + block_size - 1) / block_size;
}

// Keys before the first that the sequence's first query sees, in whole pages.
int32_t skipped_pages(const Layer& layer, const Lengths& s) {
  if (layer.window == 0) return 0;
  const int64_t first = int64_t{s.kv} - s.q - (layer.window - 1);
  return static_cast<int32_t>(std::max<int64_t>(first, 0) / layer.block_size);
}

void add(Requests& r, int32_t queries, const int32_t* row, int32_t keys, int32_t block_size) {
  if (queries == 0) return;
  r.q_begin.push_back(r.q_begin.back() + queries);
  const auto pages = static_cast<int32_t>(pages_of(keys, block_size));
  r.page_begin.push_back(r.page_begin.back() + pages);
  r.last_page_len.push_back(pages == 0 ? 0 : keys - (pages - 1) * block_size);
  if (pages > 0) r.indices.insert(r.indices.end(), row, row + pages);
}

}  // namespace

void Requests::pad(int32_t count) {
  q_begin.resize(static_cast<size_t>(count) + 1, q_begin.back());
  page_begin.resize(static_cast<size_t>(count) + 1, page_begin.back());
  last_page_len.resize(static_cast<size_t>(count), 0);
}

Requests make_requests(const Layer& layer, const attnrt_batch& b) {
  Requests r;
  const std::vector<Lengths> all = plugin::lengths_of(b, 0, layer.block_size, b.block_table.host);
  int64_t keys = 0;
  for (int32_t n = 0; n < b.sequences; ++n) {
    const Lengths& s = all[static_cast<size_t>(n)];
    const int32_t blind = std::max(s.q - s.kv, 0);
    add(r, blind, nullptr, 0, layer.block_size);
    const Lengths rest{s.q - blind, s.kv, 0};
    const int32_t skipped = skipped_pages(layer, rest);
    const int32_t* row = b.block_table.host + n * b.block_table_stride + skipped;
    add(r, rest.q, row, s.kv - skipped * layer.block_size, layer.block_size);
    keys += s.kv;
    require(keys < INT32_MAX - 1024 && int64_t{s.q} * layer.group < INT32_MAX - 1024,
            "sequences 0 to ", n, " have ", keys,
            " keys; FlashInfer counts those of a batch, and query rows, in 31 bits");
  }
  return r;
}

Capacity capacity_of(const Requests& r) {
  return {r.count(), r.q_begin.back(), static_cast<int64_t>(r.indices.size())};
}

Capacity capacity_of(const Layer& layer, const attnrt_bounds& b) {
  const int64_t q_len = layer.decode ? 1 : b.q_len;
  const int64_t tokens = std::min<int64_t>(b.tokens, b.sequences * q_len);
  const int64_t requests = std::min<int64_t>(int64_t{b.sequences} * (layer.decode ? 1 : 2), tokens);
  int64_t keys = b.kv_len;
  // A window that begins within a page.
  if (layer.window > 0) keys = std::min<int64_t>(keys, layer.window + q_len + layer.block_size);
  return {static_cast<int32_t>(requests), static_cast<int32_t>(tokens),
          b.sequences * pages_of(keys, layer.block_size)};
}

}  // namespace attnrt::flashinfer
