// A recorded case of attention, and the ways in which a plugin is run over it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/dense_tensor.hpp"
#include "tests/support/paged_cache.hpp"
#include "tests/support/plugin_driver.hpp"
#include "tests/support/test_batch.hpp"

namespace attnrt::testing {

inline const std::string kReferencePlugin = ATTNRT_BINARY_DIR "/plugins/reference.so";

struct RecordedCase {
  std::string name;
  uint64_t features = 0;
  std::vector<SequenceLengths> lengths;
  int32_t q_heads = 0, kv_heads = 0, qk = 0, v = 0;
  float scale = 0;
  int32_t window = 0;
  float softcap = 0;
  std::string format;
  int32_t q_dtype = 0;
  bool latent = false;
  std::vector<float> k_scale, v_scale, q_scale, out_scale;
  std::vector<int32_t> prefix;

  std::vector<float> q, k, v_rows, sinks, slopes;
  std::vector<std::vector<bool>> tree;
  std::vector<double> out, lse;
};

// Reads attention.safetensors once.
const std::vector<RecordedCase>& recorded_cases();
const RecordedCase& recorded_case(std::string_view name);

// How a case is laid out and called; nothing of it may change a result.
struct Variant {
  int32_t block_size = 16;
  Layout layout = Layout::kNhd;
  int32_t gap = 0;      // of the cache, in units; tensors get as many elements of padding
  int32_t threads = 1;  // of the host
  int32_t op = ATTNRT_OP_MIXED;
  int32_t out_dtype = ATTNRT_DTYPE_F64;
  int32_t lse_dtype = ATTNRT_DTYPE_F64;
  uint32_t seed = 1;
};

struct Outcome {
  std::vector<double> out;
  std::vector<double> lse;  // empty without the feature
  bool padding_untouched = false;
};

// Appends the whole contexts, then attends.
Outcome run(PluginDriver& driver, const RecordedCase& c, const Variant& variant);

attnrt_layer_class layer_of(const RecordedCase& c, const Variant& variant, int32_t op);
// The whole context's k and v, appended to a new cache.
PagedCache filled_cache(PluginDriver& driver, const RecordedCase& c, const Variant& variant,
                        const TestBatch& batch);

}  // namespace attnrt::testing
