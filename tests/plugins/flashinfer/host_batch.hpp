// A batch whose arrays the host has: what plans and page lists read.
#pragma once

#include <attnrt/plugin.h>

#include <vector>

namespace attnrt::flashinfer::testing {

struct HostBatch {
  HostBatch() = default;
  HostBatch(const HostBatch&) = delete;
  HostBatch& operator=(const HostBatch&) = delete;

  // Once the arrays are filled. stride: entries of a sequence's row of the table.
  void seal(int64_t stride) {
    b.struct_size = sizeof b;
    b.sequences = static_cast<int32_t>(kv_len.size());
    b.tokens = q_start.back();
    b.q_start.host = q_start.data();
    b.kv_len.host = kv_len.data();
    b.block_table.host = table.data();
    b.block_table_stride = stride;
  }

  std::vector<int32_t> q_start{0};
  std::vector<int32_t> kv_len;
  std::vector<int32_t> table;
  attnrt_batch b{};
};

}  // namespace attnrt::flashinfer::testing
