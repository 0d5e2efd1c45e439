// FlashInfer's Hopper kernel as the plugin starts it, compiled without nvcc and FlashInfer's
// headers.
//
// A block of three warp groups a multiprocessor: one copies keys and values page by page
// (cp.async), two multiply (wgmma) 64 query rows of one head each. It takes its work from lists
// that FlashInfer's PrefillSM90Plan has divided among the multiprocessors.
//
// What it does not do, and the manifest therefore does not list: a soft cap (a multiplication more
// for each score), fp8 (it wants q in fp8 too), a window (its copies of values from pages end at
// the first tile of the context, not of the window: sparse_mainloop.cuh, 0.7.2.post1), and graphs
// (a tile of queries is copied to the end of its tensor, which a captured launch does not know).
#pragma once

#include "kernels.hpp"

namespace attnrt::flashinfer {

// Beyond so many requests PrefillSM90Plan plans for another kernel, which is not compiled.
inline constexpr int32_t kHopperMostRequests = 4096;
inline constexpr int32_t kHopperTileRows = 128;

// Offsets of the lists in `ints`, bytes. Work i of a multiprocessor m is one of
// [work_begin[m], work_begin[m + 1]): rows [128 q_tile, …) of head `heads[i]` of the queries
// [q_begin, q_begin + q_len), over the keys whose pages begin at indices[page_begin].
struct HopperPlan {
  int64_t q_tiles;
  int64_t q_begin;
  int64_t page_begin;
  int64_t q_len;
  int64_t kv_len;
  int64_t heads;
  int64_t requests;
  int64_t work_begin;  // [multiprocessors + 1]
};

// As plan_attend: requests in host memory, plans on the current device and queues the copy.
// kv_len: host, [requests]. in.graph and in.window are not looked at.
const char* plan_hopper(const PlanInput& in, const int32_t* kv_len, const PlanMemory& memory,
                        void* stream, HopperPlan& plan);

struct HopperParams {
  HopperPlan plan;
  const void* ints;
  const int32_t* indices;  // block ids
  const void* q;
  int64_t q_token_stride;  // elements; rows of q and out begin at multiples of 16 bytes
  int64_t q_head_stride;
  void* out;
  int64_t out_token_stride;
  int64_t out_head_stride;
  float* lse;  // base 2, [tokens, heads]; null: not wanted
  PageView k;  // both with the same strides between blocks and tokens
  PageView v;
  int32_t tokens;
  int32_t q_heads;
  int32_t kv_heads;
  int32_t block_size;
  int32_t multiprocessors;
  float softmax_scale;  // above 0
};

bool has_hopper(const AttendKernel& kernel);
// Null, or why not; prepared once for each device.
const char* prepare_hopper(const AttendKernel& kernel);
const char* launch_hopper(const AttendKernel& kernel, const HopperParams& params, void* stream);

}  // namespace attnrt::flashinfer
