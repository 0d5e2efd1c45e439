// Layer classes that the manifest does not list are refused by the code too, and so are calls that
// break the contract.
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/dense_tensor.hpp"
#include "tests/support/paged_cache.hpp"
#include "tests/support/plugin_driver.hpp"
#include "tests/support/test_batch.hpp"

namespace attnrt::testing {
namespace {

const std::string kPlugin = ATTNRT_BINARY_DIR "/plugins/cpu.so";

attnrt_layer_class good_layer() {
  return make_layer_class(ATTNRT_OP_DECODE, "bf16", 4, 2, 64, 64);
}

struct Unlisted {
  const char* text;  // of the refusal
  std::function<void(attnrt_layer_class&)> change;
  const char* kernel = "attend";
};

TEST(WrongUse, UnlistedLayerClassesAreRefused) {
  using L = attnrt_layer_class;
  const Unlisted all[] = {
      {"cache_format is 'nvfp4_linear'", [](L& c) { c.cache_format = "nvfp4_linear"; }},
      {"head_dim is [36, 36]", [](L& c) { c.head_dim_qk = c.head_dim_v = 36; }},
      {"head_dim is [264, 264]", [](L& c) { c.head_dim_qk = c.head_dim_v = 264; }},
      {"head_dim is [64, 32]", [](L& c) { c.head_dim_v = 32; }},
      {"block_size is 257", [](L& c) { c.block_size = 257; }},
      {"group", [](L& c) { c.q_heads = 2 * 129; }},
      {"q_dtype is fp8_e4m3", [](L& c) { c.q_dtype = ATTNRT_DTYPE_FP8_E4M3; }},
      {"out_dtype is f64", [](L& c) { c.out_dtype = ATTNRT_DTYPE_F64; }},
      {"features", [](L& c) { c.features |= ATTNRT_FEATURE_GRAPH; }},
      {"cache_kind", [](L& c) { c.cache_kind = ATTNRT_CACHE_LATENT; }},
      {"op is 5", [](L& c) { c.op = ATTNRT_OP_MERGE; }},
      {"'fast' is not in the manifest", [](L&) {}, "fast"},
      {"cache_format is 'int8_per_token_head'",
       [](L& c) {
         c.cache_kind = ATTNRT_CACHE_LATENT;
         c.head_dim_qk = 576;
         c.head_dim_v = 512;
         c.cache_format = "int8_per_token_head";
       },
       "attend_latent"},
  };
  PluginDriver driver(kPlugin);
  EXPECT_NO_THROW(driver.prepare("attend", good_layer()));
  for (const Unlisted& u : all) {
    attnrt_layer_class layer = good_layer();
    u.change(layer);
    try {
      driver.prepare(u.kernel, layer);
      ADD_FAILURE() << "prepared, expected: " << u.text;
    } catch (const PluginFailure& e) {
      EXPECT_EQ(e.status(), ATTNRT_UNSUPPORTED) << u.text;
      EXPECT_NE(std::string(e.what()).find(u.text), std::string::npos) << e.what();
    }
  }
}

// A good call of attend, to be spoilt.
struct Call {
  Call()
      : batch({{1, 20}}, 16),
        q(ATTNRT_DTYPE_F32, {1, 4, 64}),
        out(ATTNRT_DTYPE_F32, {1, 4, 64}),
        cache(spec()) {
    args.q = q.view();
    args.out = out.view();
    args.cache = cache.view();
    view = batch.view();
    bounds = batch.bounds();
  }
  CacheSpec spec() const {
    CacheSpec s;
    s.format = Format::kBf16;
    s.kv_heads = 2;
    s.blocks = batch.blocks();
    return s;
  }
  TestBatch batch;
  DenseTensor q, out;
  PagedCache cache;
  AttendCall args;
  attnrt_batch view{};
  attnrt_bounds bounds{};
};

TEST(WrongUse, CallsThatBreakTheContractAreRefused) {
  const std::pair<const char*, std::function<void(Call&)>> all[] = {
      {"q is bf16", [](Call& c) { c.args.q.dtype = ATTNRT_DTYPE_BF16; }},
      {"out has shape", [](Call& c) { c.args.out.shape[1] = 3; }},
      {"cache.block_size", [](Call& c) { c.args.cache.block_size = 8; }},
      {"cache.heads", [](Call& c) { c.args.cache.heads = 1; }},
      {"cache.v.data", [](Call& c) { c.args.cache.v.data = nullptr; }},
      {"kv_len.host", [](Call& c) { c.view.kv_len.host = nullptr; }},
      {"block table holds", [](Call& c) { c.view.block_table_stride = 1; }},
      {"out_scale",
       [](Call& c) {
         static const float kTwo = 2.0F;
         c.args.out_scale = {&kTwo, 1, 2.0F};
       }},
  };
  attnrt_layer_class layer = good_layer();
  layer.q_dtype = layer.out_dtype = ATTNRT_DTYPE_F32;
  PluginDriver driver(kPlugin);
  const OpHandle op = driver.prepare("attend", layer);
  Call good;
  EXPECT_NO_THROW(driver.attend(*op, good.view, good.bounds, good.args));
  for (const auto& [text, spoil] : all) {
    Call c;
    spoil(c);
    try {
      driver.attend(*op, c.view, c.bounds, c.args);
      ADD_FAILURE() << "done, expected: " << text;
    } catch (const PluginFailure& e) {
      EXPECT_EQ(e.status(), ATTNRT_INVALID_ARGUMENT) << text;
      EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    }
  }
}

TEST(WrongUse, AWorkspaceThatIsTooSmallIsRefused) {
  attnrt_layer_class layer = good_layer();
  PluginDriver driver(kPlugin);
  const OpHandle op = driver.prepare("attend", layer);
  Call c;
  const attnrt_workspace none{sizeof(none), nullptr, nullptr, nullptr, 0, 0, 0};
  char text[256] = "";
  attnrt_error error{text, sizeof(text)};
  attnrt_schedule* made = nullptr;
  EXPECT_EQ(driver.functions().schedule(op.get(), &c.view, &none, nullptr, &made, &error),
            ATTNRT_INVALID_ARGUMENT);
  EXPECT_NE(std::string(text).find("scratch has 0 bytes"), std::string::npos) << text;
}

}  // namespace
}  // namespace attnrt::testing
