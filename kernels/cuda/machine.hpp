// The device that an instance of a plugin works on, for all CUDA plugins. Two ways to link it: the
// CUDA runtime (machine_cuda.cpp), or the host that plays one for tests (tests/simt/plugin).
#pragma once

#include <attnrt/plugin.hpp>
#include <cstdint>
#include <memory>
#include <string>

namespace attnrt::cuda {

struct DeviceLimits {
  int32_t multiprocessors;
  int32_t shared_per_block;  // bytes, at most
  int32_t shared_per_multiprocessor;
};

// A place in a stream that the host can wait for.
class Fence {
 public:
  virtual ~Fence() = default;
  // Both throw PluginError.
  virtual void record(void* stream) = 0;
  virtual void wait() = 0;  // at once where nothing was recorded
};

class Machine {
 public:
  virtual ~Machine() = default;

  [[nodiscard]] virtual const DeviceLimits& limits() const = 0;
  [[nodiscard]] virtual std::string describe() const = 0;
  // Null: the device's memory is the host's.
  [[nodiscard]] virtual const attnrt_device_service* service() const = 0;

  // Runs body with this device as the thread's current one; the caller's is restored. Throws what
  // body throws.
  template <class Body>
  void use(Body body) const {
    const Use current(*this);
    body();
  }
  // Ordered on the stream; `from` is the device's memory, or pinned memory that stays as it is
  // until the stream has passed. Throws PluginError.
  virtual void copy(void* to, const void* from, uint64_t bytes, void* stream) const = 0;
  [[nodiscard]] virtual std::unique_ptr<Fence> make_fence() const = 0;

 protected:
  // Makes the device current and returns the one that was; gives that back.
  virtual int32_t enter() const = 0;
  virtual void leave(int32_t before) const noexcept = 0;

 private:
  class Use {
   public:
    explicit Use(const Machine& machine) : machine_(machine), before_(machine.enter()) {}
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { machine_.leave(before_); }

   private:
    const Machine& machine_;
    int32_t before_;
  };
};

// An instance on a machine, whose device service is the machine's: that is handed the instance and
// finds its device through it.
class MachineInstance : public plugin::Instance {
 public:
  explicit MachineInstance(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}

  std::string describe() override { return machine_->describe(); }
  const attnrt_device_service* device_service() override { return machine_->service(); }
  [[nodiscard]] const Machine& machine() const { return *machine_; }

 private:
  std::unique_ptr<Machine> machine_;
};

// Throws PluginError where there is no such device.
std::unique_ptr<Machine> open_machine(const attnrt_device& device);

}  // namespace attnrt::cuda
