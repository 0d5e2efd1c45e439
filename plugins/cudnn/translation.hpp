// A batch in cuDNN's terms: which rows of q and which keys a sequence has, as arrays of i32.
//
// Pure functions of lengths. What cuDNN says nothing about is kept from it: queries that see no key
// (there are keys for the last kv_len of them alone, if masks are causal) are not in its lengths,
// but counted apart; kernels/cuda/page_tables gives them 0 and -inf.
#pragma once

#include <attnrt/plugin/checks.hpp>
#include <vector>

#include "layer.hpp"

namespace attnrt::cudnn {

// A plan's sizes for batches up to these: powers of 2, so that there are few plans. Throws where a
// table would be wider than an i32 counts.
BatchShape shape_for(const Layer& layer, int64_t sequences, int64_t q_len, int64_t kv_len);

bool holds(const BatchShape& plan, const BatchShape& batch);

// One array behind the other, each beginning at a multiple of kArrayAlignment bytes, as they stand
// in a schedule's memory on the device.
struct Arrays {
  explicit Arrays(int32_t sequences);

  uint64_t q_lengths, kv_lengths, q_offsets, out_offsets, stats_offsets;  // cuDNN's
  uint64_t first_rows, empty_rows, first_pages;                           // page_tables'
  uint64_t bytes;                                                         // of all
};
inline constexpr uint64_t kArrayAlignment = 128;

// Writes the arrays of a batch to memory of Arrays(shape.sequences).bytes; sequences beyond the
// batch's have no rows and no keys. Throws where the offsets do not fit an i32.
void translate(const Layer& layer, const std::vector<plugin::Lengths>& batch,
               const BatchShape& shape, void* to);

}  // namespace attnrt::cudnn
