// The three ops. attend serves prefill, decode and mixed, which differ in nothing here.
#pragma once

#include <attnrt/plugin.hpp>

#include "layer.hpp"

namespace attnrt::reference {

std::unique_ptr<plugin::Op> make_append(const plugin::Host& host, const Layer& layer);
std::unique_ptr<plugin::Op> make_attend(const plugin::Host& host, const Layer& layer);
std::unique_ptr<plugin::Op> make_merge(const Layer& layer);

}  // namespace attnrt::reference
