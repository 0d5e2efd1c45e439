// Threads that begin together, as a kernel's do.
#pragma once

#include <cstdint>
#include <functional>

namespace attnrt::bench {

// job(0) … job(threads - 1), each on a thread of its own, the caller's among them. Returns the
// seconds from the first one's begin to the last one's end. Throws std::system_error if the system
// has no more threads.
double run_together(int32_t threads, const std::function<void(int32_t)>& job);

// CPUs that this process may use; at least 1.
int32_t usable_cpus();

}  // namespace attnrt::bench
