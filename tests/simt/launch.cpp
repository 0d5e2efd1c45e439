#include "kernels/cuda/launch.hpp"

#include <memory>
#include <string>

#include "tests/simt/block.hpp"

namespace attnrt::simt {
namespace {

// What a thread's launches share: fibers are dear to make.
struct Launcher {
  Block block;
  std::string error;
};

Launcher& launcher() {
  thread_local const auto instance = std::make_unique<Launcher>();
  return *instance;
}

std::string refuse(const LaunchShape& shape, const Settings& settings) {
  if (shape.blocks < 1) return "a launch of " + std::to_string(shape.blocks) + " blocks";
  if (shape.threads < 1 || shape.threads > kMaxThreads || shape.threads % kWarpThreads != 0) {
    return "a launch of " + std::to_string(shape.threads) +
           " threads a block: a multiple of 32 up to 1024 was expected";
  }
  if (shape.shared_bytes > settings.max_shared_bytes) {
    return "a launch with " + std::to_string(shape.shared_bytes) +
           " bytes of shared memory, of which the device has " +
           std::to_string(settings.max_shared_bytes);
  }
  return {};
}

}  // namespace

constinit thread_local Block* current_block = nullptr;

const Statistics& statistics() {
  return launcher().block.statistics();
}

const char* launch(void (*call)(void (*function)(), const void* params), void (*function)(),
                   const void* params, int blocks, int threads, uint32_t shared_bytes) {
  Launcher& launcher = simt::launcher();
  const LaunchShape shape{blocks, threads, shared_bytes};
  launcher.error = refuse(shape, settings());
  if (!launcher.error.empty()) return launcher.error.c_str();
  current_block = &launcher.block;
  const bool done = launcher.block.run({call, function, params}, shape, settings());
  current_block = nullptr;
  return done ? nullptr : launcher.block.error().c_str();
}

}  // namespace attnrt::simt
