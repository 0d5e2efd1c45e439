// Which sequences of a batch read a prefix together: a pure function of lengths and tables.
#pragma once

#include <attnrt/plugin/checks.hpp>
#include <attnrt/plugin/shared_prefixes.hpp>

#include "layer.hpp"

namespace attnrt::cuda {

// Units (sequences x KV heads) that have a prefix, at the most: each leaves partial results, and
// has a ticket. 0 where a sequence's rows of a KV head leave no room for another's in a block.
int32_t most_shared_units(const Layer& layer);

// Prefixes that are worth it. None where the tables are not on the host.
std::vector<plugin::SharedPrefix> find_shared(const Layer& layer,
                                              const std::vector<plugin::Lengths>& sequences,
                                              const attnrt_batch& batch);

}  // namespace attnrt::cuda
