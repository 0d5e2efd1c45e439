// Tiles of K and V on their way from pages to shared memory: a ring of slots, some always in
// flight. The keys of a tile are looked up one by one, so that a page may be of any size.
//
// Rows come by pieces of 16 bytes and less (cp.async), a row's threads side by side; or, from sm_90
// and where rows are aligned and have no padding, whole (cp.async.bulk), a thread a row, which
// knows where the next tile's row is before there is room for it. Scales always come by pieces.
#pragma once

#include "kernels/codec/nvfp4_swizzled.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/layout.hpp"
#include "kernels/cuda/rows.cuh"

namespace attnrt::cuda {

template <class TileOf>
class Ring {
 public:
  // Whether rows may come whole, where the device can do that.
  static constexpr bool kWholeRows = TileOf::kRows == kWarpRows;

  // Once a block, before a barrier.
  ATTNRT_DEVICE static void init(const SharedLayout& layout, SharedAddress base) {
    const int i = thread_index();
    if (kWholeRows && has_bulk_copies() && i < kMostSlots) {
      init_landing(base + layout.landings + landing_offset(i));
    }
  }

  ATTNRT_DEVICE Ring(const AttendParams& p, const SharedLayout& layout, SharedAddress base)
      : p_(p),
        layout_(layout),
        base_(base + layout.ring),
        landings_(base + layout.landings),
        k_in_bulk_(comes_in_bulk(p.k, row_bytes(TileOf::kFormat, p.dim_qk), layout.k_pitch)),
        v_in_bulk_(p.latent == 0 &&
                   comes_in_bulk(p.v, row_bytes(TileOf::kFormat, p.dim_v), layout.v_pitch)) {
    const int bytes = padded_row_bytes(TileOf::kFormat, p.dim_qk);
    while ((16 << row_shift_) < bytes && row_shift_ < 5) ++row_shift_;
  }

  // An item begins: asks for its first tiles. All threads are done with those of the last one.
  ATTNRT_DEVICE void begin(const WorkItem& item) {
    kv_end_ = item.kv_end;
    kv_head_ = item.q.kv_head;
    table_ = p_.batch->block_table + item.q.sequence * p_.batch->block_table_stride;
    next_key_ = item.kv_begin;
    next_side_ = reading_side_ = 0;
    filling_ = reading_ = 0;
    if (k_in_bulk_ || v_in_bulk_) look_up_row();
    for (int i = 1; i < p_.slots; ++i) fetch();
  }

  // The slot that holds the next tile, once all threads see it: tiles come in the order K, V, K, V
  // …, or K alone where V lies in it. The slot before is given up and filled again.
  ATTNRT_DEVICE SharedAddress next() {
    wait();
    sync_block();
    fetch();
    const SharedAddress slot = slot_at(reading_);
    reading_ = reading_ + 1 == p_.slots ? 0 : reading_ + 1;
    reading_side_ = other(reading_side_);
    return slot;
  }

 private:
  ATTNRT_DEVICE SharedAddress slot_at(int i) const {
    return base_ + static_cast<SharedAddress>(i) * layout_.slot_bytes;
  }

  static constexpr SharedAddress landing_offset(int i) { return static_cast<SharedAddress>(i) * 8; }

  // K, V, K, V …, or K alone.
  ATTNRT_DEVICE int other(int side) const { return p_.latent != 0 ? 0 : 1 - side; }

  // Whether a side's rows come whole.
  ATTNRT_DEVICE static bool comes_in_bulk(const SideView& side, int bytes, uint32_t pitch) {
    return kWholeRows && has_bulk_copies() && side.alignment >= 16 &&
           bytes == static_cast<int>(pitch) - 16;
  }
  ATTNRT_DEVICE bool in_bulk(int side) const { return side == 0 ? k_in_bulk_ : v_in_bulk_; }

  ATTNRT_DEVICE void wait() {
    wait_groups();
    if (!in_bulk(reading_side_)) return;
    wait_landing(landings_ + landing_offset(reading_), phases_ >> reading_ & 1U);
    phases_ ^= 1U << reading_;
  }

  // Groups in flight: one for each slot but the one in use, of which the oldest must be there.
  ATTNRT_DEVICE void wait_groups() {
    if (p_.slots == 2) return wait_copies<0>();
    if (p_.slots == 3) return wait_copies<1>();
    wait_copies<2>();
  }

  ATTNRT_DEVICE void fetch() {
    if (next_key_ < kv_end_) {
      copy_tile(slot_at(filling_), next_side_ == 0);
      next_side_ = other(next_side_);
      if (next_side_ == 0) {
        next_key_ += TileOf::kKeys;
        if (k_in_bulk_ || v_in_bulk_) look_up_row();
      }
    }
    filling_ = filling_ + 1 == p_.slots ? 0 : filling_ + 1;
    commit_copies();
  }

  ATTNRT_DEVICE void copy_tile(SharedAddress slot, bool keys) {
    const SideView& side = keys ? p_.k : p_.v;
    const int bytes = row_bytes(TileOf::kFormat, keys ? p_.dim_qk : p_.dim_v);
    const uint32_t pitch = keys ? layout_.k_pitch : layout_.v_pitch;
    const int padded = static_cast<int>(pitch) - 16;
    if (in_bulk(keys ? 0 : 1)) {
      copy_whole_rows(side, slot, pitch, bytes);
    } else if (side.alignment >= 16) {
      copy_rows<16>(side, slot, pitch, bytes, padded);
    } else if (side.alignment == 8) {
      copy_rows<8>(side, slot, pitch, bytes, padded);
    } else if (side.alignment == 4) {
      copy_rows<4>(side, slot, pitch, bytes, padded);
    } else {
      copy_elements(side, slot, pitch, bytes, padded);
    }
    if constexpr (has_block_scales(TileOf::kFormat)) {
      copy_block_scales(side, slot + layout_.slot_scales, keys);
      return;
    }
    if constexpr (!has_row_scales(TileOf::kFormat)) return;
    // V's scales are wanted before its rows, by the weights; its zero points with its rows.
    if (keys) copy_scales(p_.k, slot + layout_.slot_scales);
    if (keys || is_rotated(TileOf::kFormat)) {
      copy_scales(p_.v, slot + layout_.slot_scales + TileOf::kKeys * 4);
    }
  }

  // No offset: behind the item's last key.
  static constexpr int64_t kNone = INT64_MIN;

  // The offset of key `i` of the tile.
  template <class Offset>
  ATTNRT_DEVICE int64_t find(int i, Offset offset) const {
    const int key = next_key_ + i;
    if (key >= kv_end_) return kNone;
    const int column = divide(key, p_.block_size);
    return offset(int64_t{table_[column]}, key - column * static_cast<int>(p_.block_size.d));
  }
  ATTNRT_DEVICE int64_t find_row(const SideView& side, int i) const {
    return find(i,
                [&](int64_t block, int slot) { return row_offset(side, block, slot, kv_head_); });
  }

  // A row's threads are neighbours, each with every so many pieces of it. What is behind the last
  // key or a row's last byte becomes zeros: it meets zeros of q, or weights that are 0.
  template <int kBytes>
  ATTNRT_DEVICE void copy_rows(const SideView& side, SharedAddress slot, uint32_t pitch, int bytes,
                               int padded) {
    const int threads = 1 << row_shift_;
    const int first = thread_index() & (threads - 1);
    for (int i = thread_index() >> row_shift_; i < TileOf::kKeys; i += kThreads >> row_shift_) {
      const int64_t offset = find_row(side, i);
      const uint8_t* row = side.data + (offset == kNone ? 0 : offset);
      const SharedAddress to = slot + static_cast<SharedAddress>(i) * pitch;
      for (int at = first * kBytes; at < padded; at += threads * kBytes) {
        const bool valid = offset != kNone && at < bytes;
        copy_async<kBytes>(to + static_cast<SharedAddress>(at), valid ? row + at : side.data,
                           valid);
      }
    }
  }

  // Where the row of this thread is in the tile to be asked for next.
  ATTNRT_DEVICE void look_up_row() {
    const int key = next_key_ + thread_index();
    row_there_ = thread_index() < TileOf::kKeys && key < kv_end_;
    if (!row_there_) return;
    const int column = divide(key, p_.block_size);
    row_block_ = table_[column];
    row_slot_ = key - column * static_cast<int>(p_.block_size.d);
  }

  // Zeros for a row that is not there: order_before_bulk() is called before the next item.
  ATTNRT_DEVICE void copy_whole_rows(const SideView& side, SharedAddress slot, uint32_t pitch,
                                     int bytes) {
    const SharedAddress landing = landings_ + landing_offset(filling_);
    if (thread_index() == 0) {
      const int rest = kv_end_ - next_key_;
      const int rows = rest < TileOf::kKeys ? rest : TileOf::kKeys;
      expect_landing(landing, static_cast<uint32_t>(rows * bytes));
    }
    if (thread_index() >= TileOf::kKeys) return;
    const SharedAddress to = slot + static_cast<SharedAddress>(thread_index()) * pitch;
    if (row_there_) {
      const int64_t offset = row_offset(side, row_block_, row_slot_, kv_head_);
      copy_bulk(to, side.data + offset, static_cast<uint32_t>(bytes), landing);
    } else {
      for (int at = 0; at < bytes; at += 4) {
        store_shared<uint32_t>(to + static_cast<SharedAddress>(at), 0);
      }
    }
  }

  // Rows that begin anywhere.
  ATTNRT_DEVICE void copy_elements(const SideView& side, SharedAddress slot, uint32_t pitch,
                                   int bytes, int padded) {
    const int threads = 1 << row_shift_;
    for (int i = thread_index() >> row_shift_; i < TileOf::kKeys; i += kThreads >> row_shift_) {
      const int64_t offset = find_row(side, i);
      const SharedAddress to = slot + static_cast<SharedAddress>(i) * pitch;
      for (int at = thread_index() & (threads - 1); at < padded; at += threads) {
        const bool valid = offset != kNone && at < bytes;
        store_shared<uint8_t>(to + static_cast<SharedAddress>(at),
                              valid ? side.data[offset + at] : uint8_t{0});
      }
    }
  }

  // A row's threads are those that copied it. Zeros where it has no block, so that what is read of
  // its padding is a number.
  ATTNRT_DEVICE void copy_block_scales(const SideView& side, SharedAddress to, bool keys) {
    const int blocks = (keys ? p_.dim_qk : p_.dim_v) / kScaledBlock;
    const bool swizzled = !keys && p_.swizzled != 0;
    if (!swizzled && side.scale_alignment >= 4 && blocks % 4 == 0) {
      copy_block_scales_by<4>(side, to, blocks, false);
    } else {
      copy_block_scales_by<1>(side, to, blocks, swizzled);
    }
  }

  template <int kBytes>
  ATTNRT_DEVICE void copy_block_scales_by(const SideView& side, SharedAddress to, int blocks,
                                          bool swizzled) {
    const int threads = 1 << row_shift_;
    const int first = (thread_index() & (threads - 1)) * kBytes;
    for (int i = thread_index() >> row_shift_; i < TileOf::kKeys; i += kThreads >> row_shift_) {
      const SharedAddress row = to + static_cast<SharedAddress>(i) * layout_.scale_pitch;
      for (int s = first; s < static_cast<int>(layout_.scale_pitch); s += threads * kBytes) {
        const int64_t offset = find(i, [&](int64_t block, int slot) {
          const codec::ScalePlace at = swizzled && s < blocks
                                           ? codec::nvfp4_swizzle(slot, s, blocks)
                                           : codec::ScalePlace{slot, s};
          return scale_offset(side, block, at.token, kv_head_) + at.byte;
        });
        const bool valid = offset != kNone && s < blocks;
        const auto at = row + static_cast<SharedAddress>(s);
        if constexpr (kBytes == 1) {
          store_shared<uint8_t>(at, valid ? side.scales[offset] : uint8_t{0});
        } else {
          copy_async<kBytes>(at, valid ? side.scales + offset : side.scales, valid);
        }
      }
    }
  }

  ATTNRT_DEVICE void copy_scales(const SideView& side, SharedAddress to) {
    const int i = thread_index();
    if (i >= TileOf::kKeys) return;
    const int64_t offset =
        find(i, [&](int64_t block, int slot) { return scale_offset(side, block, slot, kv_head_); });
    const bool valid = offset != kNone;
    copy_async<4>(to + static_cast<SharedAddress>(i) * 4,
                  valid ? side.scales + offset : side.scales, valid);
  }

  const AttendParams& p_;
  const SharedLayout& layout_;
  const SharedAddress base_;
  const SharedAddress landings_;
  const bool k_in_bulk_;
  const bool v_in_bulk_;
  uint32_t phases_ = 0;  // of the landings, the parity of each as a bit
  int kv_end_ = 0;       // of the item
  int kv_head_ = 0;
  const int32_t* table_ = nullptr;
  int row_shift_ = 0;  // threads a row, as a power of 2
  int next_key_ = 0;   // the first of the tile to be asked for
  int next_side_ = 0;
  int filling_ = 0;  // the slot for it
  int reading_ = 0;  // the slot that next() gives
  int reading_side_ = 0;
  bool row_there_ = false;  // this thread's, of the tile to be asked for
  int32_t row_block_ = 0;
  int row_slot_ = 0;
};

}  // namespace attnrt::cuda
