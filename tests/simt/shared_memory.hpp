// A block's shared memory, which knows of every byte who wrote it and who reads it.
//
// Each access is checked: bounds, alignment, bytes that this block never wrote, bytes on which an
// asynchronous copy has not landed, and races. An access comes before another if one thread makes
// both, or a barrier of the block (or of the warp that both belong to) lies between; nothing else
// orders. The check is exact: no false alarm, and no race missed that this run's order of accesses
// and barriers has, whichever order the threads were run in.
#pragma once

#include <stdint.h>

#include <array>
#include <vector>

namespace attnrt::simt {

class SharedMemory {
 public:
  // Where it begins: not at 0, where on a GPU it need not begin either.
  static constexpr uint32_t kBase = 1024;
  static constexpr uint8_t kPoison = 0xFF;  // NaN in every format

  void begin_block(uint32_t bytes);
  void order_block();
  void order_warp(int warp);

  // Each is an access to [at, at + bytes) by a thread, where bytes is 1, 2, 4, 8 or 16, and gives
  // the place. Throws Fault.
  const uint8_t* read(int thread, uint32_t at, uint32_t bytes);
  uint8_t* write(int thread, uint32_t at, uint32_t bytes);
  uint8_t* issue_copy(int thread, uint32_t at, uint32_t bytes);
  uint8_t* land_copy(int thread, uint32_t at, uint32_t bytes);

 private:
  static constexpr int kMaxWarps = 32;
  static constexpr uint32_t kLine = 16;

  // Who accessed a byte last, each as a mark: the time of the thread's last barrier, flags, and the
  // thread. Of reads since the last write, whether threads of several warps made them since the
  // block's barrier, or several of one warp since the warp's: any write but one behind a barrier
  // then conflicts with one of them, so that nobody else need be kept.
  struct Shadow {
    uint64_t write = 0;
    uint64_t read = 0;
    bool operator==(const Shadow&) const = default;
  };
  using Parts = std::array<Shadow, kLine>;

  struct Access {
    int thread;
    uint32_t offset;
    uint32_t bytes;
    const char* verb;
    uint64_t mark;
  };

  Access access(int thread, uint32_t at, uint32_t bytes, const char* verb) const;
  template <class Check>
  void check(const Access& a, Check&& check_one);
  void check_read(const Access& a, Shadow& s) const;
  void check_write(const Access& a, Shadow& s) const;
  bool comes_before(uint64_t mark, const Access& a) const;
  bool reads_come_before(uint64_t mark, const Access& a) const;
  uint64_t with_reader(uint64_t mark, const Access& a) const;
  void join(Shadow& line, const Parts& parts) const;
  Shadow settled(Shadow s) const;

  uint32_t bytes_ = 0;
  std::vector<uint8_t> storage_;
  uint8_t* data_ = nullptr;
  // Lines that were only accessed as a whole have one shadow; the others (kSplit) one a byte.
  std::vector<Shadow> lines_;
  std::vector<Parts> parts_;
  // Time counts barriers and never goes back, so that a new block needs no new shadows.
  uint64_t now_ = 0;
  uint64_t block_begin_ = 0;
  uint64_t block_barrier_ = 0;
  std::array<uint64_t, kMaxWarps> warp_barrier_{};
};

}  // namespace attnrt::simt
