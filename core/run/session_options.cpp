#include "run/session_options.hpp"

#include <algorithm>

#include "run/step_batch.hpp"

namespace attnrt::runtime {

SessionOptions session_options(const RunConfig& config, const Plan& plan,
                               std::span<const SequenceSpec> sequences) {
  SessionOptions options;
  options.max_kv_len = 1;
  for (const SequenceSpec& s : sequences) {
    options.max_kv_len = std::max<int64_t>(options.max_kv_len, s.length());
  }
  options.blocks = config.blocks;
  if (options.blocks == 0) {
    for (const CacheGroup& group : plan.groups) {
      options.blocks = std::max(options.blocks, blocks_for(sequences, group.page.block_size));
    }
  }
  for (const auto& [plugin, values] : config.plugins.options) {
    options.plugin_options.emplace_back(plugin, values);
  }
  return options;
}

}  // namespace attnrt::runtime
