#include "tests/simt/plugin/service_simt.hpp"

#include <attnrt/plugin.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "tests/simt/stream.hpp"

namespace attnrt::cuda {
namespace {

using plugin::fail;
using plugin::require;
using simt::Stream;
using Clock = std::chrono::steady_clock;

constexpr size_t kAlignment = 256;  // what cudaMalloc promises

// Exactly so many bytes, so that the redzone of a sanitizer begins right behind them.
attnrt_status allocate(attnrt_instance*, uint64_t bytes, void** out, attnrt_error* error) {
  return plugin::guarded(error, [&] {
    if (posix_memalign(out, kAlignment, bytes) != 0) {
      fail(ATTNRT_OUT_OF_MEMORY, "the shim has no ", bytes, " bytes");
    }
  });
}

attnrt_status release(attnrt_instance*, void* memory, attnrt_error*) {
  std::free(memory);
  return ATTNRT_OK;
}

// Does the work now, or keeps it where the stream captures.
template <class Work>
attnrt_status order(void* stream, attnrt_error* error, Work work) {
  return plugin::guarded(error, [&] {
    auto* on = static_cast<Stream*>(stream);
    if (on == nullptr || !on->capturing) {
      work();
      return;
    }
    on->launches.emplace_back([work]() -> const char* {
      work();
      return nullptr;
    });
  });
}

void refuse_capturing(void* stream, const char* what) {
  const auto* on = static_cast<const Stream*>(stream);
  require(on == nullptr || !on->capturing, what, " on a stream that captures");
}

template <class T>
attnrt_status destroy(void* object) {
  delete static_cast<T*>(object);
  return ATTNRT_OK;
}

using Launches = decltype(Stream::launches);

const attnrt_device_service kService = {
    .struct_size = sizeof(attnrt_device_service),
    .reserved = 0,
    .allocate = allocate,
    .release = release,
    .allocate_pinned = allocate,
    .release_pinned = release,
    .copy =
        [](attnrt_instance*, void* to, const void* from, uint64_t bytes, void* stream,
           attnrt_error* error) {
          return order(stream, error, [=] { std::memcpy(to, from, bytes); });
        },
    .zero =
        [](attnrt_instance*, void* memory, uint64_t bytes, void* stream, attnrt_error* error) {
          return order(stream, error, [=] { std::memset(memory, 0, bytes); });
        },
    .create_stream =
        [](attnrt_instance*, void** out, attnrt_error* error) {
          return plugin::guarded(error, [&] { *out = new Stream; });
        },
    .destroy_stream = [](attnrt_instance*, void* stream,
                         attnrt_error*) { return destroy<Stream>(stream); },
    .create_event =
        [](attnrt_instance*, void** out, attnrt_error* error) {
          return plugin::guarded(error, [&] { *out = new Clock::time_point; });
        },
    .destroy_event = [](attnrt_instance*, void* event,
                        attnrt_error*) { return destroy<Clock::time_point>(event); },
    .record_event =
        [](attnrt_instance*, void* event, void* stream, attnrt_error* error) {
          auto* at = static_cast<Clock::time_point*>(event);
          return order(stream, error, [=] { *at = Clock::now(); });
        },
    .wait_event = [](attnrt_instance*, void*, void*, attnrt_error*) -> attnrt_status {
      return ATTNRT_OK;
    },
    .elapsed_ms = [](attnrt_instance*, void* from, void* to, float* out,
                     attnrt_error*) -> attnrt_status {
      const auto passed =
          *static_cast<Clock::time_point*>(to) - *static_cast<Clock::time_point*>(from);
      *out = std::chrono::duration<float, std::milli>(passed).count();
      return ATTNRT_OK;
    },
    .synchronize =
        [](attnrt_instance*, void* stream, attnrt_error* error) {
          return plugin::guarded(error, [&] { refuse_capturing(stream, "synchronize"); });
        },
    .begin_capture =
        [](attnrt_instance*, void* stream, attnrt_error* error) {
          return plugin::guarded(error, [&] {
            require(stream != nullptr, "the null stream can't capture");
            refuse_capturing(stream, "begin_capture");
            static_cast<Stream*>(stream)->capturing = true;
          });
        },
    .end_capture =
        [](attnrt_instance*, void* stream, void** out, attnrt_error* error) {
          return plugin::guarded(error, [&] {
            auto* on = static_cast<Stream*>(stream);
            require(on != nullptr && on->capturing, "end_capture on a stream that doesn't capture");
            on->capturing = false;
            *out = new Launches(std::exchange(on->launches, {}));
          });
        },
    .launch_graph =
        [](attnrt_instance*, void* graph, void* stream, attnrt_error* error) {
          return plugin::guarded(error, [&] {
            refuse_capturing(stream, "launch_graph");
            for (const auto& launch : *static_cast<const Launches*>(graph)) {
              if (const char* mistake = launch()) fail(ATTNRT_DEVICE_ERROR, mistake);
            }
          });
        },
    .destroy_graph = [](attnrt_instance*, void* graph,
                        attnrt_error*) { return destroy<Launches>(graph); },
};

}  // namespace

const attnrt_device_service& simt_service() {
  return kService;
}

}  // namespace attnrt::cuda
