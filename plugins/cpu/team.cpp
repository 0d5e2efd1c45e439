#include "team.hpp"

#include <algorithm>
#include <thread>

namespace attnrt::cpu {
namespace {

int32_t choose_threads(const plugin::Host& host, int32_t wanted) {
  if (wanted > 0) return wanted;
  if (host.threads() > 0) return host.threads();
  return std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
}

}  // namespace

Team::Team(const plugin::Host& host, int32_t wanted)
    : host_(host), threads_(choose_threads(host, wanted)) {
  if (!host.has_threads()) pool_ = std::make_unique<Pool>(threads_);
}

}  // namespace attnrt::cpu
