// One attention over paged caches as cuDNN is asked for it: a graph of one operation with all its
// sizes and strides, since a plan of cuDNN's is made for them and no others.
//
// Tensors, by cuDNN's names for the axes (b sequences, s tokens, h heads, d elements):
//   q, out  [b, h, s, d], rows packed one token after the other; sequence n begins `offset`
//   elements
//           behind the first (ragged)
//   stats   [b, h, s, 1], f32, the same way
//   k, v    [pages, h, page, d], what nhd and hnd are by their strides
//   table   [b, 1, width, 1]: the pages of a sequence
// A unit apart (graph.cpp) includes cudnn-frontend, which costs the compiler half a minute.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace attnrt::cudnn {

// What a layer fixes.
struct LayerShape {
  bool f16;  // q, k, v and out; else bf16
  bool hnd;  // a head's rows stand together in a page; else a token's
  bool causal;
  bool lse;
  int32_t window;  // keys; 0: all
  int32_t q_heads;
  int32_t kv_heads;
  int32_t dim_qk;
  int32_t dim_v;
  int32_t block_size;
  float softmax_scale;
};

// What a batch fixes, rounded up so that many batches share a plan.
struct BatchShape {
  int32_t sequences;
  int32_t q_len;
  int32_t width;  // of the page tables
  bool operator==(const BatchShape&) const = default;
};

// Pages are counted in units of a K or V page (views.hpp); a plan holds for any number up to this.
inline constexpr int32_t kMostPages = 0x7fffffff;

// Device pointers of one call. Offsets and lengths are i32 [b + 1] and [b].
struct Pointers {
  void* q;
  void* k;
  void* v;
  void* out;
  void* stats;  // null without lse
  void* q_lengths;
  void* kv_lengths;
  void* q_offsets;
  void* out_offsets;
  void* stats_offsets;
  void* k_table;
  void* v_table;
  void* workspace;
};

// A plan that can be run. Objects of one instance are used by one thread at a time.
class Plan {
 public:
  virtual ~Plan() = default;
  [[nodiscard]] virtual uint64_t workspace_bytes() const = 0;
  // Queues the work on the stream; allocates nothing on the device. Throws PluginError.
  virtual void run(const Pointers& pointers, void* stream) = 0;
};

// cuDNN on the current device.
class Library {
 public:
  virtual ~Library() = default;
  // Throws PluginError where cuDNN has no plan.
  virtual std::unique_ptr<Plan> make_plan(const LayerShape& layer, const BatchShape& batch) = 0;
};

// Loads libcudnn.so.9 for the current device, of that SM. Throws PluginError, ATTNRT_UNAVAILABLE,
// where it is missing or too old.
std::unique_ptr<Library> open_library(int32_t sm);

// "cuDNN 9.19.0". Throws like open_library.
std::string library_version();

// Asks cuDNN without a device whether an SM (80, 90, …) has a plan. Returns the empty text if so,
// else why not. Throws like open_library, also where there is no libcuda.so.1, real or a stub.
std::string why_unsupported(const LayerShape& layer, const BatchShape& batch, int32_t sm);

}  // namespace attnrt::cudnn
