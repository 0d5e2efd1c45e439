// Planning: a backend for every layer and op of a model, or a refusal with reasons and ways out.
//
// Joint: the ops of a layer share one cache, so one format, block size and layout; groups of layers
// may differ in format and block size but share one pool of pages. Pure, like selection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "attnrt/pool.hpp"
#include "attnrt/select.hpp"

namespace attnrt {

// How attention of one layer looks: facts of the model that no plan changes.
struct LayerGeometry {
  int32_t q_heads = 1;
  int32_t kv_heads = 1;
  HeadDim head_dim;
  CacheKind cache = CacheKind::kSeparate;
  float softmax_scale = 0;  // 0: 1 / sqrt(head_dim.qk)
  int32_t window = 0;       // 0: full attention
  float softcap = 0;        // 0: none
  bool sinks = false;
  bool alibi = false;
  Feature mask = Feature::kCausal;  // causal, non_causal, cross, tree_mask, prefix_lm
  friend bool operator==(const LayerGeometry&, const LayerGeometry&) = default;
};

struct ModelGeometry {
  std::string name;
  DType dtype = DType::kBf16;
  std::string ds_mla;  // generation of a DeepSeek latent cache: "v32", "v4", "v41"; else empty
  std::vector<LayerGeometry> layers;
};

// skip_layers: [3, "0-4", sliding_window, full]
struct LayerSelector {
  enum class Kind : uint8_t { kRange, kSlidingWindow, kFull };
  Kind kind = Kind::kRange;
  int32_t first = 0;
  int32_t last = 0;  // inclusive
};
Result<LayerSelector> parse_layer_selector(std::string_view text);

struct KvCacheOptions {
  Spelling format;
  std::vector<LayerSelector> skip_layers;
  Spelling skip_format;
  std::optional<int32_t> block_size;  // empty: auto
  std::optional<Layout> layout;       // empty: auto
};

struct PlanOptions {
  KvCacheOptions kv_cache;
  Policy policy;
  Features features;  // guarantees and outputs wanted of every layer: lse, batch_invariant, …
  int32_t decode_query_tokens = 1;  // speculative decoding: more
  std::optional<DType> q;           // empty: the model's dtype
  std::optional<DType> out;         // empty: q's
  // What the session will be given (Request says more): q, k, v, out and lse that are slices of
  // wider tensors, say those of a fused projection, are strided; views of an engine's own cache are
  // strided unless is_packed says otherwise. A session refuses what the plan's kernels can't take.
  Strides tensors = Strides::kPacked;
  Strides pages = Strides::kPacked;
  int32_t alignment = kUsualAlignment;
  bool runnable = true;  // only plugins with code
};

struct OpDecision {
  Op op;
  Request request;
  uint32_t plugin = 0;
  uint32_t kernel = 0;
  std::vector<Candidate> candidates;  // every kernel, with the rules that failed
};

struct LayerPlan {
  int32_t index = 0;
  uint32_t group = 0;
  LayerGeometry geometry;
  std::string spelling;  // as written for this layer: "auto", "fp8", …
  Format kv = Format::kBf16;
  int32_t block_size = 16;
  Layout layout = Layout::kNhd;
  std::vector<OpDecision> ops;  // append, prefill, decode, and mixed where one kernel serves it
  const OpDecision* find(Op op) const;
};

// Layers that share block tables: same format, block size, layout, head sizes and window.
struct CacheGroup {
  std::vector<int32_t> layers;
  PageGeometry page;
  Layout layout = Layout::kNhd;
  int32_t window = 0;
  int64_t page_bytes = 0;  // what a page of one layer takes
  // A kernel that serves it takes packed pages alone: blocks are whole pages of each side apart.
  bool packed = false;
};

struct Plan {
  std::string model;
  Device device;
  DType q = DType::kBf16;
  DType out = DType::kBf16;
  std::vector<LayerPlan> layers;
  std::vector<CacheGroup> groups;
  int64_t pool_page_bytes = 0;    // the largest of the groups': of a pool that has one page size
  double kv_bytes_per_token = 0;  // of the model, in a session's pool (pool_of)
  double padding_bytes_per_token = 0;  // of them: alignment, and what is left over of chunks
};

// How a session's own pool is cut for a plan's groups. Precondition: at least one group.
PoolLayout pool_of(const std::vector<CacheGroup>& groups);

// One more way out of a refusal: kv_cache.skip_layers with all these layers, those of the options
// and all that fail. The whole model has been planned so.
struct SkipAlternative {
  std::vector<int32_t> layers;  // ascending
  Request request;              // of the refusal's layer and op, in that plan
  uint32_t plugin = 0;
  uint32_t kernel = 0;
  double kv_bytes_per_token = 0;  // one layer's
};

// Why a layer and op can't be served.
struct Refusal {
  int32_t layer = 0;
  Op op = Op::kDecode;
  std::string spelling;
  Request request;  // with the first format and block size that were tried
  std::vector<Candidate> candidates;
  std::vector<Alternative> alternatives;
  std::vector<int32_t> also_layers;         // layers that fail for the same reason
  std::optional<SkipAlternative> skipping;  // one more way, where it helps
};

struct PlanOutcome {
  std::optional<Plan> plan;
  std::vector<Refusal> refusals;  // not empty exactly if there is no plan
};

// Errors: bad input (a selector beyond the model's layers, contradictory policy, unknown spelling).
Result<PlanOutcome> plan(const ModelGeometry& model, const Device& device,
                         const PlanOptions& options, const Catalog& catalog);

}  // namespace attnrt
