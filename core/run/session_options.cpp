#include "run/session_options.hpp"

#include <algorithm>
#include <map>

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
  std::map<std::pair<std::string, std::string>, std::string> places;
  for (const auto& [plugin, values] : config.plugins.options) {
    options.plugin_options.emplace_back(plugin, values);
    places[{plugin, ""}] = config.place("plugins.options." + plugin);
    for (const auto& [key, value] : values) {
      places[{plugin, key}] = config.place("plugins.options." + plugin + "." + key);
    }
  }
  options.option_place = [places = std::move(places)](const std::string& plugin,
                                                      const std::string& key) {
    const auto it = places.find({plugin, key});
    return it == places.end() ? std::string() : it->second;
  };
  return options;
}

}  // namespace attnrt::runtime
