// What a plan says a token takes is what it takes of a session's pool.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "attnrt/session.hpp"
#include "run/session_impl.hpp"
#include "tests/run/fake_plugin.hpp"

namespace attnrt {
namespace {

// Bytes of the pool by the tokens that fit into it when one group has all of it.
double measured(BlockPool& pool, uint32_t group, int32_t block_size) {
  std::vector<int32_t> blocks;
  for (Result<int32_t> b = pool.allocate(group); b; b = pool.allocate(group)) blocks.push_back(*b);
  for (const int32_t b : blocks) pool.release(group, b);
  return static_cast<double>(pool.bytes()) / static_cast<double>(blocks.size()) / block_size;
}

TEST(PoolBytes, OfAMixedModelAreWhatItsPlanSays) {
  for (const int32_t kv_heads : {1, 3, 4}) {
    for (const char* skip_format : {"f32", "bf16"}) {
      SCOPED_TRACE(std::to_string(kv_heads) + " heads, " + skip_format);
      ModelGeometry model;
      model.name = "mixed";
      model.dtype = DType::kF32;
      model.layers.assign(5, LayerGeometry{kv_heads, kv_heads, {8, 8}});
      model.layers[1].window = model.layers[2].window = 6;
      PlanOptions wanted;
      wanted.kv_cache.format = *parse_spelling("int8_per_token_head");
      wanted.kv_cache.skip_format = *parse_spelling(skip_format);
      wanted.kv_cache.skip_layers = {*parse_layer_selector("sliding_window"),
                                     *parse_layer_selector("0")};
      testing_fakes::FakeSource source;
      Result<PlanOutcome> outcome = plan(model, Device{}, wanted, source.catalog());
      ASSERT_TRUE(outcome) << to_string(outcome.error());
      ASSERT_TRUE(outcome->plan);
      const double planned = outcome->plan->kv_bytes_per_token;
      ASSERT_EQ(outcome->plan->groups.size(), 3U);

      SessionOptions options;
      options.blocks = 64;
      Result<Session> session = runtime::open_session(*outcome->plan, source, options);
      ASSERT_TRUE(session) << to_string(session.error());
      double taken = 0;
      for (uint32_t g = 0; g < session->plan().groups.size(); ++g)
        taken += measured(session->pool(), g, session->plan().groups[g].page.block_size);
      EXPECT_DOUBLE_EQ(taken, planned);
      EXPECT_GT(planned, 0);
    }
  }
}

}  // namespace
}  // namespace attnrt
