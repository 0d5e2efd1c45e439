// The ops of this plugin, one file each.
#pragma once

#include <attnrt/plugin.hpp>
#include <memory>

#include "context.hpp"
#include "layer.hpp"

namespace attnrt::cpu {

std::unique_ptr<plugin::Op> make_append(Context& context, const Layer& layer);
std::unique_ptr<plugin::Op> make_attend(Context& context, const Layer& layer);
std::unique_ptr<plugin::Op> make_merge(Context& context, const Layer& layer);

}  // namespace attnrt::cpu
