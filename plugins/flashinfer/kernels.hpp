// FlashInfer's kernels as the plugin starts them: plain functions and structs, so that it is
// compiled without nvcc and without FlashInfer's headers.
//
// One kernel serves prefill, decode and both mixed: query rows of a KV head's whole group are
// packed into tiles of 16, 64 or 128 rows, multiplied by tensor cores. For decode FlashInfer calls
// that use_tensor_cores.
#pragma once

#include <stdint.h>

namespace attnrt::flashinfer {

enum class Half : int32_t { kBf16, kF16 };  // of q and out
enum class Stored : int32_t { kBf16, kF16, kE4m3, kE5m2 };

constexpr int32_t bytes_of(Stored s) {
  return s == Stored::kBf16 || s == Stored::kF16 ? 2 : 1;
}

// Which instantiation; all are causal.
struct AttendKernel {
  Half half;
  Stored stored;
  int32_t head_dim;
};

// One side of a paged cache; strides in elements, rows begin at multiples of 16 bytes.
struct PageView {
  void* data;
  int64_t block_stride;
  int64_t token_stride;
  int64_t head_stride;
};

// A batch as FlashInfer reads it, in device memory (pages.hpp). Request r has the queries
// [q_begin[r], q_begin[r + 1]) and the pages indices[page_begin[r]] … of which the last holds
// last_page_len[r] keys.
struct RequestView {
  int32_t* q_begin;
  int32_t* page_begin;
  int32_t* last_page_len;
  int32_t* indices;
  int32_t count;
};

// What FlashInfer's PrefillPlan decided: how many blocks there are and where in `ints` (device
// memory) each finds its work; where in scratch parts of divided contexts stand.
struct Plan {
  int64_t blocks;  // times KV heads
  int64_t tile_rows;
  int64_t request_indices;  // offsets into ints, bytes
  int64_t q_tiles;
  int64_t kv_tiles;
  int64_t part_begin;  // [tokens + 1]: a token's parts
  int64_t request_parts;
  int64_t chunk_keys;
  int64_t block_used;
  int64_t tokens;    // how many there are, where a captured launch finds it
  int64_t part_out;  // offsets into scratch, bytes
  int64_t part_lse;
  bool split;
  bool graph;
};

struct PlanInput {
  const int32_t* q_begin;  // host, [requests + 1]
  const int32_t* page_begin;
  int32_t requests;
  int32_t tokens;  // with graph: as many as any batch has
  int32_t q_heads;
  int32_t kv_heads;
  int32_t head_dim;
  int32_t block_size;
  int32_t window;  // 0: none
  int32_t stored_bytes;
  bool graph;
};

struct PlanMemory {
  void* ints;     // device
  void* staging;  // host, pinned, as large
  uint64_t int_bytes;
  void* scratch;  // device; not touched
  uint64_t scratch_bytes;
};

// Plans on the current device and queues the copy from staging to ints. Returns null, or why not;
// the text lives until the thread's next call.
const char* plan_attend(const PlanInput& input, const PlanMemory& memory, void* stream, Plan& plan);

struct AttendParams {
  Plan plan;
  RequestView requests;
  void* ints;
  void* q;
  int64_t q_token_stride;  // elements; rows begin at multiples of 16 bytes
  int64_t q_head_stride;
  void* out;   // contiguous; or parts
  float* lse;  // base 2, contiguous; or of parts; null: not wanted
  PageView k;
  PageView v;
  const float* k_scale;  // device, or null: 1
  const float* v_scale;
  int32_t q_heads;
  int32_t kv_heads;
  int32_t block_size;
  int32_t window;  // 0: none
  float softmax_scale;
  float softcap;  // 0: none
};

// Parts put together: out and lse in the caller's strides, lse as a natural logarithm.
struct FinishParams {
  const void* part_out;  // null: out is whole already
  const float* part_lse;
  const int32_t* part_begin;  // null: a token has one part
  const uint32_t* used;       // device: tokens there are; null: all
  void* out;
  int64_t out_token_stride;  // elements
  int64_t out_head_stride;
  float* lse;  // or null
  int64_t lse_token_stride;
  int64_t lse_head_stride;
  int32_t tokens;
  int32_t heads;
  int32_t head_dim;
};

// Whether there is such a kernel in the binary.
bool has_attend(const AttendKernel& kernel);

// All return null, or why not. A kernel is prepared once for each device that it is started on;
// launches then load nothing and ask for nothing.
const char* prepare_attend(const AttendKernel& kernel, int32_t shared_per_multiprocessor);
const char* launch_attend(const AttendKernel& kernel, int32_t shared_per_multiprocessor,
                          const AttendParams& params, void* stream);
const char* prepare_finish(Half half);
const char* launch_finish(Half half, const FinishParams& params, void* stream);

}  // namespace attnrt::flashinfer
