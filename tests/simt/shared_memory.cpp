#include "tests/simt/shared_memory.hpp"

#include <string.h>

#include <string>

#include "tests/simt/fault.hpp"

namespace attnrt::simt {
namespace {

// A mark: time << 16 | flags | thread.
constexpr int kTimeShift = 16;
constexpr uint64_t kInFlight = 1 << 15;
constexpr uint64_t kSeveralThreads = 1 << 14;
constexpr uint64_t kSeveralWarps = 1 << 13;
constexpr uint64_t kThread = 0x3FF;
// Stands for a line's write where its bytes have shadows of their own.
constexpr uint64_t kSplit = ~uint64_t{0};

uint64_t time_of(uint64_t mark) {
  return mark >> kTimeShift;
}
int thread_of(uint64_t mark) {
  return static_cast<int>(mark & kThread);
}

std::string name(int thread) {
  return "thread " + std::to_string(thread);
}

template <class Access>
std::string describe(const Access& a) {
  return name(a.thread) + " " + a.verb + " shared bytes [" + std::to_string(a.offset) + ", " +
         std::to_string(uint64_t{a.offset} + a.bytes) + ")";
}

template <class Access>
[[noreturn]] void race(const Access& a, const std::string& other) {
  throw Fault(describe(a) + ", which " + other + " without a barrier between");
}

template <class Access>
[[noreturn]] void race_with_reads(const Access& a, uint64_t read) {
  // Of several readers one is known, and that may be the writer itself.
  if (thread_of(read) == a.thread) race(a, "other threads read");
  const bool several = (read & (kSeveralThreads | kSeveralWarps)) != 0;
  race(a, name(thread_of(read)) + (several ? " and others read" : " reads"));
}

}  // namespace

void SharedMemory::begin_block(uint32_t bytes) {
  constexpr uint32_t kAlignment = 128;
  if (storage_.size() < bytes + kAlignment) {
    storage_.resize(bytes + kAlignment);
    const auto begin = reinterpret_cast<uintptr_t>(storage_.data());
    data_ = storage_.data() + (kAlignment - begin % kAlignment) % kAlignment;
    lines_.resize(bytes / kLine + 1);
    parts_.resize(bytes / kLine + 1);
  }
  bytes_ = bytes;
  memset(data_, kPoison, bytes);
  order_block();
  block_begin_ = now_;
}

void SharedMemory::order_block() {
  block_barrier_ = ++now_;
  warp_barrier_.fill(now_);
}

void SharedMemory::order_warp(int warp) {
  warp_barrier_[static_cast<size_t>(warp)] = ++now_;
}

const uint8_t* SharedMemory::read(int thread, uint32_t at, uint32_t bytes) {
  const Access a = access(thread, at, bytes, "reads");
  check(a, [&](Shadow& s) { check_read(a, s); });
  return data_ + a.offset;
}

uint8_t* SharedMemory::write(int thread, uint32_t at, uint32_t bytes) {
  const Access a = access(thread, at, bytes, "writes");
  check(a, [&](Shadow& s) {
    check_write(a, s);
    s = {a.mark, 0};
  });
  return data_ + a.offset;
}

uint8_t* SharedMemory::issue_copy(int thread, uint32_t at, uint32_t bytes) {
  const Access a = access(thread, at, bytes, "copies to");
  check(a, [&](Shadow& s) {
    check_write(a, s);
    s = {a.mark | kInFlight, 0};
  });
  return data_ + a.offset;
}

uint8_t* SharedMemory::land_copy(int thread, uint32_t at, uint32_t bytes) {
  const Access a = access(thread, at, bytes, "copies to");
  check(a, [&](Shadow& s) { s = {a.mark, 0}; });
  return data_ + a.offset;
}

SharedMemory::Access SharedMemory::access(int thread, uint32_t at, uint32_t bytes,
                                          const char* verb) const {
  const uint64_t time = warp_barrier_[static_cast<size_t>(thread) / 32];
  const Access a{thread, at - kBase, bytes, verb,
                 time << kTimeShift | static_cast<uint64_t>(thread)};
  if (at < kBase) {
    throw Fault(name(thread) + " " + verb + " shared address " + std::to_string(at) +
                ", below the block's shared memory");
  }
  if (uint64_t{a.offset} + bytes > bytes_) {
    throw Fault(describe(a) + " of " + std::to_string(bytes_));
  }
  if (at % bytes != 0) throw Fault(describe(a) + ", which are not aligned");
  return a;
}

template <class Check>
void SharedMemory::check(const Access& a, Check&& check_one) {
  Shadow& line = lines_[a.offset / kLine];
  if (a.bytes == kLine && line.write != kSplit) return check_one(line);
  Parts& parts = parts_[a.offset / kLine];
  if (line.write != kSplit) {
    parts.fill(line);
    line.write = kSplit;
  }
  // Neighbours mostly have the same shadow, and it then becomes the same.
  Shadow before = parts[a.offset % kLine];
  check_one(parts[a.offset % kLine]);
  for (uint32_t i = 1; i < a.bytes; ++i) {
    Shadow& part = parts[a.offset % kLine + i];
    if (part == before) {
      part = parts[a.offset % kLine + i - 1];
      continue;
    }
    before = part;
    check_one(part);
  }
  if (a.bytes == kLine) join(line, parts);
}

void SharedMemory::check_read(const Access& a, Shadow& s) const {
  if (time_of(s.write) < block_begin_) {
    throw Fault(describe(a) + ", which nobody has written yet");
  }
  if ((s.write & kInFlight) != 0) {
    throw Fault(describe(a) + ", where a copy of " + name(thread_of(s.write)) +
                " is still in flight");
  }
  if (!comes_before(s.write, a)) race(a, name(thread_of(s.write)) + " writes");
  s.read = with_reader(s.read, a);
}

void SharedMemory::check_write(const Access& a, Shadow& s) const {
  if (time_of(s.write) < block_begin_) return;
  if ((s.write & kInFlight) != 0) {
    throw Fault(describe(a) + ", where a copy of " + name(thread_of(s.write)) +
                " is still in flight");
  }
  if (!comes_before(s.write, a)) race(a, name(thread_of(s.write)) + " writes");
  if (!reads_come_before(s.read, a)) race_with_reads(a, s.read);
}

bool SharedMemory::comes_before(uint64_t mark, const Access& a) const {
  if (time_of(mark) < block_barrier_ || thread_of(mark) == a.thread) return true;
  return thread_of(mark) / 32 == a.thread / 32 && time_of(mark) < time_of(a.mark);
}

bool SharedMemory::reads_come_before(uint64_t mark, const Access& a) const {
  if (time_of(mark) < block_barrier_) return true;
  if ((mark & kSeveralWarps) != 0) return false;
  if ((mark & kSeveralThreads) != 0 && time_of(mark) == time_of(a.mark)) return false;
  return comes_before(mark, a);
}

uint64_t SharedMemory::with_reader(uint64_t mark, const Access& a) const {
  if (time_of(mark) < block_barrier_) return a.mark;
  if ((mark & kSeveralWarps) != 0) return mark;
  if (thread_of(mark) / 32 != a.thread / 32) return mark | kSeveralWarps;
  if (time_of(mark) < time_of(a.mark)) return a.mark;
  return thread_of(mark) == a.thread ? mark : mark | kSeveralThreads;
}

// One shadow for the line again, where its bytes' do not differ in anything that matters.
void SharedMemory::join(Shadow& line, const Parts& parts) const {
  const Shadow first = settled(parts[0]);
  for (const Shadow& s : parts) {
    if (settled(s) != first) return;
  }
  line = first;
}

// Accesses before the block's last barrier come before all that follow, whoever made them. Nothing
// is in flight: a line was accessed as a whole.
SharedMemory::Shadow SharedMemory::settled(Shadow s) const {
  if (time_of(s.read) < block_barrier_) s.read = 0;
  if (time_of(s.write) < block_begin_) {
    s.write = 0;
  } else if (time_of(s.write) < block_barrier_) {
    s.write = block_begin_ << kTimeShift;
  }
  return s;
}

}  // namespace attnrt::simt
