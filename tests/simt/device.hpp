// The functions of kernels/cuda/device.cuh, which says what each does, run by a CPU.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <atomic>
#include <bit>

#include "tests/simt/numbers.hpp"
#include "tests/simt/thread.hpp"

#define ATTNRT_DEVICE inline
#define ATTNRT_KERNEL(kThreads, kBlocks) void
#define ATTNRT_ARGUMENT

namespace attnrt::cuda {

// ---- Where a thread is

ATTNRT_DEVICE int thread_index() {
  return simt::thread_index();
}
ATTNRT_DEVICE int block_index() {
  return simt::block_index();
}

// ---- Shared memory

ATTNRT_DEVICE SharedAddress shared_memory() {
  return simt::shared_memory();
}

template <class T>
ATTNRT_DEVICE T load_shared(SharedAddress at) {
  static_assert(simt::is_shared_access(sizeof(T)));
  T value;
  memcpy(&value, simt::read_shared(at, sizeof(T)), sizeof(T));
  return value;
}
template <class T>
ATTNRT_DEVICE void store_shared(SharedAddress at, T value) {
  static_assert(simt::is_shared_access(sizeof(T)));
  memcpy(simt::write_shared(at, sizeof(T)), &value, sizeof(T));
}

ATTNRT_DEVICE void sync_block() {
  simt::sync_block();
}
ATTNRT_DEVICE void sync_warp() {
  simt::sync_warp();
}

// ---- Copies from global to shared memory that land later

template <int kBytes>
ATTNRT_DEVICE void copy_async(SharedAddress to, const void* from, bool valid) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  simt::copy_async(to, from, kBytes, valid);
}
ATTNRT_DEVICE void commit_copies() {
  simt::commit_copies();
}
template <int kPending>
ATTNRT_DEVICE void wait_copies() {
  simt::wait_copies(kPending);
}

// ---- Bulk copies

ATTNRT_DEVICE bool has_bulk_copies() {
  return simt::has_bulk_copies();
}
ATTNRT_DEVICE void init_landing(SharedAddress landing) {
  simt::init_landing(landing);
}
ATTNRT_DEVICE void expect_landing(SharedAddress landing, uint32_t bytes) {
  simt::expect_landing(landing, bytes);
}
ATTNRT_DEVICE void copy_bulk(SharedAddress to, const void* from, uint32_t bytes,
                             SharedAddress landing) {
  simt::copy_bulk(to, from, bytes, landing);
}
ATTNRT_DEVICE void wait_landing(SharedAddress landing, uint32_t parity) {
  simt::wait_landing(landing, parity);
}
ATTNRT_DEVICE void order_before_bulk() {}  // one kind of access here

// ---- Collectives of a warp

ATTNRT_DEVICE void load_matrices(uint32_t (&to)[4], SharedAddress row) {
  simt::load_matrices(to, row);
}
ATTNRT_DEVICE void load_matrices_transposed(uint32_t (&to)[4], SharedAddress row) {
  simt::load_matrices_transposed(to, row);
}
template <class Half>
ATTNRT_DEVICE void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  simt::multiply_add<Half>(c, a, b0, b1);
}
ATTNRT_DEVICE float shuffle_xor(float x, int mask) {
  return std::bit_cast<float>(simt::shuffle_xor(std::bit_cast<uint32_t>(x), mask));
}
ATTNRT_DEVICE bool any_lane(bool x) {
  return simt::any_lane(x);
}

// ---- Numbers

ATTNRT_DEVICE float exp2_fast(float x) {
  return exp2f(x);
}
template <class Half>
ATTNRT_DEVICE uint32_t pack_halves(float low, float high) {
  return simt::pack<Half>(low, high);
}
template <class Half>
ATTNRT_DEVICE uint32_t multiply_halves(uint32_t a, uint32_t b) {
  return simt::multiply<Half>(a, b);
}
template <class Half>
ATTNRT_DEVICE uint32_t subtract_halves(uint32_t a, uint32_t b) {
  return simt::subtract<Half>(a, b);
}
ATTNRT_DEVICE int count_bits(uint32_t x) {
  return std::popcount(x);
}
template <class Half>
ATTNRT_DEVICE float half_to_float(uint16_t bits) {
  return simt::widen<Half>(bits);
}

// ---- Global memory

ATTNRT_DEVICE uint32_t add_and_order(uint32_t* at, uint32_t n) {
  return std::atomic_ref<uint32_t>(*at).fetch_add(n);
}
ATTNRT_DEVICE void add_counter(unsigned long long* at, unsigned long long n) {
  std::atomic_ref<unsigned long long>(*at).fetch_add(n);
}

}  // namespace attnrt::cuda
