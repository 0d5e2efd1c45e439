// Switches between stacks, told to the sanitizers: without that they take another fiber's frames
// for wild accesses.
#pragma once

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define ATTNRT_SIMT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ATTNRT_SIMT_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define ATTNRT_SIMT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ATTNRT_SIMT_TSAN 1
#endif
#endif

#if defined(ATTNRT_SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(ATTNRT_SIMT_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace attnrt::simt {

#if defined(ATTNRT_SIMT_ASAN)

// Frames are larger where every object has a red zone.
inline constexpr size_t kStackBytes = 256 * 1024;

class Annotation {
 public:
  void create(const void* bottom, size_t bytes) {
    // A stack that was here before left its frames' red zones.
    __asan_unpoison_memory_region(bottom, bytes);
    bottom_ = bottom;
    bytes_ = bytes;
  }
  void adopt_thread() {}
  void destroy() {}
  void leave_for(const Annotation& to) {
    __sanitizer_start_switch_fiber(&fake_stack_, to.bottom_, to.bytes_);
  }
  void end_for(const Annotation& to) {
    __sanitizer_start_switch_fiber(nullptr, to.bottom_, to.bytes_);
  }
  void arrive_from(Annotation& from) {
    __sanitizer_finish_switch_fiber(fake_stack_, &from.bottom_, &from.bytes_);
  }

 private:
  const void* bottom_ = nullptr;
  size_t bytes_ = 0;
  void* fake_stack_ = nullptr;
};

#elif defined(ATTNRT_SIMT_TSAN)

inline constexpr size_t kStackBytes = 256 * 1024;

class Annotation {
 public:
  void create(const void*, size_t) { fiber_ = __tsan_create_fiber(0); }
  void adopt_thread() { fiber_ = __tsan_get_current_fiber(); }
  void destroy() { __tsan_destroy_fiber(fiber_); }
  void leave_for(const Annotation& to) { __tsan_switch_to_fiber(to.fiber_, 0); }
  void end_for(const Annotation& to) { leave_for(to); }
  void arrive_from(Annotation&) {}

 private:
  void* fiber_ = nullptr;
};

#else

inline constexpr size_t kStackBytes = 64 * 1024;

class Annotation {
 public:
  void create(const void*, size_t) {}
  void adopt_thread() {}
  void destroy() {}
  void leave_for(const Annotation&) {}
  void end_for(const Annotation&) {}
  void arrive_from(Annotation&) {}
};

#endif

}  // namespace attnrt::simt
