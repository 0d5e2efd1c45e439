// A device's work, timed by the device: calls are kept as a graph, which is played again and again
// with events between. What the host needs to start each call so is in no time, and no call waits
// for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "attnrt/session.hpp"

namespace attnrt::bench {

// kPluginRefused: the plugin's device service lacks functions that timing needs, by name.
Status check_timing(const DeviceFunctions& device);

// A stream of the device; on hosts, null. Preconditions of all here: check_timing, or service null.
class Stream {
 public:
  static Result<std::unique_ptr<Stream>> create(const DeviceFunctions& device);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();
  void* handle() const { return handle_; }
  const DeviceFunctions& device() const { return device_; }
  Status wait() const;

 private:
  explicit Stream(const DeviceFunctions& device) : device_(device) {}
  DeviceFunctions device_;
  void* handle_ = nullptr;
};

class Replay {
 public:
  // `calls` orders on the stream, which keeps that instead of doing it. What it works on stays
  // valid while this lives. Errors: its own, and kInternal: what can't be kept.
  static Result<std::unique_ptr<Replay>> capture(const Stream& stream,
                                                 const std::function<Status()>& calls);
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  ~Replay();

  // Plays it once more than `count` times in a row, and returns the milliseconds of all but the
  // first: while that one is played, the host starts the others.
  Result<std::vector<double>> play(int32_t count);

 private:
  explicit Replay(const Stream& stream) : stream_(stream) {}
  Status make_events(size_t count);
  Status record(void* event);
  Status launch();

  const Stream& stream_;
  void* graph_ = nullptr;
  std::vector<void*> events_;
};

}  // namespace attnrt::bench
