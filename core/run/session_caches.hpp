// The caches of a session: views over a pool of its own, or over the engine's memory.
#pragma once

#include "attnrt/result.hpp"
#include "attnrt/session.hpp"

namespace attnrt::runtime {

// Fills groups, pool and every layer's view. Errors: memory, views that do not fit the plan.
Status add_caches(Session::Impl& impl);

}  // namespace attnrt::runtime
