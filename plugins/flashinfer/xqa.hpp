// XQA as the plugin starts it, compiled without nvcc and FlashInfer's headers.
//
// One query a sequence over fp8_e4m3: the query heads of a KV head are the rows of one tile, K and
// V are widened to q's type in registers. Group, page and types are compiled in, a unit for each.
// Contexts are divided among `splits` blocks, tile by tile of 256 keys; the last to arrive puts the
// parts together, which are rounded to q's type.
//
// csrc/xqa has a variant for Hopper (mha_sm90.cu) too. It multiplies in fp8, for which it rounds q
// and the weights to three bits behind the point: more than docs/accuracy.md grants, so it is not
// compiled.
#pragma once

#include <stdint.h>

namespace attnrt::flashinfer {

inline constexpr int32_t kXqaHeadDim = 128;
inline constexpr int32_t kXqaTileKeys = 256;
inline constexpr int32_t kXqaMostRequests = 65535;  // a grid's third side

// Which instantiation.
struct XqaKernel {
  int32_t group;
  int32_t block_size;
};

// A request is a sequence that has a query: row r of q and out, the first lengths[r] keys of the
// pages table[r * table_stride] …; of no key: out is 0. Entries beyond are not read.
struct XqaRequests {
  const uint32_t* used;  // device: how many there are; blocks of later ones do nothing
  const uint32_t* lengths;
  const int32_t* table;
  int32_t table_stride;
  int32_t count;  // that the launch is made for
};

struct XqaParams {
  XqaRequests requests;
  const void* q;  // [requests, q_heads, 128], packed, begins at a multiple of 16 bytes; out too
  void* out;
  void* k;  // begin at multiples of 16 bytes
  void* v;
  uint32_t
      block_stride;  // of both, in rows of 128 bytes, as are the others; so blocks · block_stride
  uint32_t token_stride;  // must stay within 32 bits
  uint32_t head_stride;
  const float* k_scale;  // device, or null: 1
  const float* v_scale;
  const float* sinks;  // device, [q_heads]; or null
  uint32_t* tickets;   // device, [requests, kv_heads]: 0, and 0 again when the kernel ends
  void* parts;         // xqa_part_bytes, where splits is above 1
  int32_t kv_heads;
  int32_t window;  // 0: none
  int32_t splits;
  float softmax_scale;
};

// Into how many blocks FlashInfer's launcher divides contexts of at most `keys` keys.
constexpr int32_t xqa_splits(int32_t multiprocessors, int64_t requests, int32_t kv_heads,
                             int64_t keys) {
  const int64_t blocks = requests * kv_heads;
  const int64_t fit = blocks == 0 ? 1 : multiprocessors / blocks;
  const int64_t tiles = (keys + kXqaTileKeys - 1) / kXqaTileKeys;
  const int64_t splits = fit < tiles ? fit : tiles;
  return static_cast<int32_t>(splits < 1 ? 1 : splits);
}

// Maxima and sums of rows, then the rows, which begin at a multiple of their bytes. There are never
// more parts than multiprocessors, since with more blocks than those nothing is divided.
constexpr uint64_t xqa_part_bytes(int64_t parts, int32_t group) {
  const int64_t rows = int64_t{group} * kXqaHeadDim * 2;
  return static_cast<uint64_t>(parts * 2 * 128 + rows + parts * rows);
}

bool has_xqa(const XqaKernel& kernel);
// All return null, or why not. prepare_xqa loads the kernel for the current device and says how
// many bytes of shared memory a launch there takes.
const char* prepare_xqa(const XqaKernel& kernel, uint32_t& shared);
const char* launch_xqa(const XqaKernel& kernel, uint32_t shared, const XqaParams& params,
                       void* stream);

}  // namespace attnrt::flashinfer
