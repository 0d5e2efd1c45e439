// A batch as FlashInfer's requests: the block table's rows one after the other, without gaps.
//
// Three things differ from one request a sequence:
// - a sequence without queries is none;
// - pages that lie wholly outside the window of a sequence's first query are left out, since
//   engines free them: what is relative to the last key (causal, window) stays as it is;
// - of a sequence with more queries than keys those that see none are a request of their own, over
//   no page: FlashInfer's causal loop counts in unsigned numbers and takes them for late ones.
// Pure functions of host memory.
#pragma once

#include <attnrt/plugin/checks.hpp>
#include <cstdint>
#include <vector>

#include "layer.hpp"

namespace attnrt::flashinfer {

struct Requests {
  std::vector<int32_t> q_begin{0};     // [count + 1], of the batch's tokens
  std::vector<int32_t> page_begin{0};  // [count + 1], into indices
  std::vector<int32_t> last_page_len;  // [count]
  std::vector<int32_t> indices;        // block ids

  [[nodiscard]] int32_t count() const { return static_cast<int32_t>(last_page_len.size()); }
  // Of request i's pages, from the first one on.
  [[nodiscard]] int32_t keys(size_t i, int32_t block_size) const {
    const int32_t pages = page_begin[i + 1] - page_begin[i];
    return pages == 0 ? 0 : (pages - 1) * block_size + last_page_len[i];
  }
  // So many requests, the new ones without queries and keys.
  void pad(int32_t count);
};

// Of a batch that plugin::check_batch has passed. Throws where the host does not know its block
// table.
Requests make_requests(const Layer& layer, const attnrt_batch& batch);

// How much room batches need: what they have, or for bounds the most that any within them has.
struct Capacity {
  int32_t requests;
  int32_t tokens;
  int64_t pages;

  [[nodiscard]] bool holds(const Capacity& other) const {
    return requests >= other.requests && tokens >= other.tokens && pages >= other.pages;
  }
};
Capacity capacity_of(const Requests& requests);
Capacity capacity_of(const Layer& layer, const attnrt_bounds& bounds);

}  // namespace attnrt::flashinfer
