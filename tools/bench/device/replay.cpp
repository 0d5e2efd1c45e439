#include "bench/device/replay.hpp"

#include <string>
#include <utility>

#include "bench/device/call.hpp"

namespace attnrt::bench {

Status check_timing(const DeviceFunctions& device) {
  const attnrt_device_service& s = *device.service;
  const std::pair<const char*, bool> needed[] = {{"create_stream", s.create_stream != nullptr},
                                                 {"destroy_stream", s.destroy_stream != nullptr},
                                                 {"create_event", s.create_event != nullptr},
                                                 {"destroy_event", s.destroy_event != nullptr},
                                                 {"record_event", s.record_event != nullptr},
                                                 {"elapsed_ms", s.elapsed_ms != nullptr},
                                                 {"begin_capture", s.begin_capture != nullptr},
                                                 {"end_capture", s.end_capture != nullptr},
                                                 {"launch_graph", s.launch_graph != nullptr},
                                                 {"destroy_graph", s.destroy_graph != nullptr}};
  std::string absent;
  for (const auto& [function, there] : needed) {
    if (!there) absent += (absent.empty() ? "" : ", ") + std::string(function);
  }
  if (absent.empty()) return Done{};
  return Error{ErrorCode::kPluginRefused, "the plugin's device service",
               "streams, events and graphs, to time the device's work and its limits",
               "without " + absent, "build the plugin with attnrt_device_service of version 1.1"};
}

Result<std::unique_ptr<Stream>> Stream::create(const DeviceFunctions& device) {
  std::unique_ptr<Stream> stream(new Stream(device));
  if (device.service == nullptr) return stream;
  Status created = call_device("create_stream", [&](attnrt_error* error) {
    return device.service->create_stream(device.instance, &stream->handle_, error);
  });
  if (!created) return created.error();
  return stream;
}

Stream::~Stream() {
  if (handle_ == nullptr) return;
  static_cast<void>(device_.service->destroy_stream(device_.instance, handle_, nullptr));
}

Status Stream::wait() const {
  if (device_.service == nullptr) return Done{};
  return call_device("synchronize", [&](attnrt_error* error) {
    return device_.service->synchronize(device_.instance, handle_, error);
  });
}

Result<std::unique_ptr<Replay>> Replay::capture(const Stream& stream,
                                                const std::function<Status()>& calls) {
  std::unique_ptr<Replay> replay(new Replay(stream));
  const DeviceFunctions& device = stream.device();
  Status begun = call_device("begin_capture", [&](attnrt_error* error) {
    return device.service->begin_capture(device.instance, stream.handle(), error);
  });
  if (!begun) return begun.error();
  const Status called = calls();
  const Status ended = call_device("end_capture", [&](attnrt_error* error) {
    return device.service->end_capture(device.instance, stream.handle(), &replay->graph_, error);
  });
  if (!called) return called.error();
  if (!ended) return ended.error();
  return replay;
}

Replay::~Replay() {
  static_cast<void>(stream_.wait());
  const DeviceFunctions& device = stream_.device();
  for (void* event : events_) {
    static_cast<void>(device.service->destroy_event(device.instance, event, nullptr));
  }
  if (graph_ == nullptr) return;
  static_cast<void>(device.service->destroy_graph(device.instance, graph_, nullptr));
}

Status Replay::make_events(size_t count) {
  const DeviceFunctions& device = stream_.device();
  while (events_.size() < count) {
    void* event = nullptr;
    Status made = call_device("create_event", [&](attnrt_error* error) {
      return device.service->create_event(device.instance, &event, error);
    });
    if (!made) return made;
    events_.push_back(event);
  }
  return Done{};
}

Status Replay::record(void* event) {
  const DeviceFunctions& device = stream_.device();
  return call_device("record_event", [&](attnrt_error* error) {
    return device.service->record_event(device.instance, event, stream_.handle(), error);
  });
}

Status Replay::launch() {
  const DeviceFunctions& device = stream_.device();
  return call_device("launch_graph", [&](attnrt_error* error) {
    return device.service->launch_graph(device.instance, graph_, stream_.handle(), error);
  });
}

Result<std::vector<double>> Replay::play(int32_t count) {
  const auto n = static_cast<size_t>(count);
  if (Status s = make_events(n + 1); !s) return s.error();
  for (size_t i = 0; i <= n; ++i) {
    if (Status s = launch(); !s) return s.error();
    if (Status s = record(events_[i]); !s) return s.error();
  }
  if (Status s = stream_.wait(); !s) return s.error();
  const DeviceFunctions& device = stream_.device();
  std::vector<double> times_ms;
  for (size_t i = 0; i < n; ++i) {
    float ms = 0;
    Status timed = call_device("elapsed_ms", [&](attnrt_error* error) {
      return device.service->elapsed_ms(device.instance, events_[i], events_[i + 1], &ms, error);
    });
    if (!timed) return timed.error();
    times_ms.push_back(ms);
  }
  return times_ms;
}

}  // namespace attnrt::bench
