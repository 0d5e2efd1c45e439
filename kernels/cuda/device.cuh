// What kernels take from the machine, under one name each: PTX where nvcc compiles, the SIMT shim
// (tests/simt) where a host compiler does, so that the very source of a kernel runs in tests on a
// CPU.
//
// Shared memory is touched through these functions alone, by byte address from the block's dynamic
// shared memory on: that is what PTX takes, and the shim can see each access (bounds, bytes never
// written, races, copies that have not landed).
#pragma once

#include <stdint.h>

namespace attnrt::cuda {

// The two element types of 16 bits, as template arguments.
struct F16 {};
struct Bf16 {};

// A byte address in the block's shared memory.
using SharedAddress = uint32_t;

}  // namespace attnrt::cuda

// Before a loop over an array that is to stay in registers.
#if defined(__CUDACC__)
#define ATTNRT_UNROLL _Pragma("unroll")
#else
#define ATTNRT_UNROLL
#endif

#if !defined(__CUDACC__)
#include "tests/simt/device.hpp"
#else

#include <cuda_fp16.h>
#include <string.h>

#define ATTNRT_DEVICE __device__ __forceinline__
// A kernel: its blocks have kThreads threads, and kBlocks of them should fit a multiprocessor. Its
// one argument is a const ATTNRT_ARGUMENT struct.
#define ATTNRT_KERNEL(kThreads, kBlocks) __global__ void __launch_bounds__(kThreads, kBlocks)
#define ATTNRT_ARGUMENT __grid_constant__

namespace attnrt::cuda {

// ---- Where a thread is

ATTNRT_DEVICE int thread_index() {
  return static_cast<int>(threadIdx.x);
}
ATTNRT_DEVICE int block_index() {
  return static_cast<int>(blockIdx.x);
}

// ---- Shared memory

// The address of the block's dynamic shared memory, a multiple of 128.
ATTNRT_DEVICE SharedAddress shared_memory() {
  extern __shared__ __align__(128) uint8_t dynamic_shared[];
  return static_cast<SharedAddress>(__cvta_generic_to_shared(dynamic_shared));
}

// T: 1, 2 or 4 bytes; the address is a multiple of them. By PTX, since through a pointer the
// compiler does not always see that it is shared memory.
template <class T>
ATTNRT_DEVICE T load_shared(SharedAddress at) {
  T value;
  if constexpr (sizeof(T) == 4) {
    uint32_t x;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(x) : "r"(at) : "memory");
    memcpy(&value, &x, sizeof value);
  } else if constexpr (sizeof(T) == 2) {
    uint16_t x;
    asm volatile("ld.shared.u16 %0, [%1];" : "=h"(x) : "r"(at) : "memory");
    memcpy(&value, &x, sizeof value);
  } else {
    static_assert(sizeof(T) == 1);
    uint32_t x;
    asm volatile("ld.shared.u8 %0, [%1];" : "=r"(x) : "r"(at) : "memory");
    memcpy(&value, &x, sizeof value);
  }
  return value;
}
template <class T>
ATTNRT_DEVICE void store_shared(SharedAddress at, T value) {
  if constexpr (sizeof(T) == 4) {
    uint32_t x;
    memcpy(&x, &value, sizeof value);
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(at), "r"(x) : "memory");
  } else if constexpr (sizeof(T) == 2) {
    uint16_t x;
    memcpy(&x, &value, sizeof value);
    asm volatile("st.shared.u16 [%0], %1;" ::"r"(at), "h"(x) : "memory");
  } else {
    static_assert(sizeof(T) == 1);
    uint32_t x = 0;
    memcpy(&x, &value, sizeof value);
    asm volatile("st.shared.u8 [%0], %1;" ::"r"(at), "r"(x) : "memory");
  }
}

// Barrier of all threads of the block.
ATTNRT_DEVICE void sync_block() {
  __syncthreads();
}
// Barrier of the warp's 32 threads, which orders their accesses to memory.
ATTNRT_DEVICE void sync_warp() {
  __syncwarp();
}

// ---- Copies from global to shared memory that land later (cp.async, sm_80)

// kBytes: 4, 8 or 16, of which both addresses are multiples. Where not valid nothing is read, zeros
// are written, and `from` is any such address.
// No clobber of memory: reads of global memory, such as where the next row is, may pass it; waits
// and barriers have one.
template <int kBytes>
ATTNRT_DEVICE void copy_async(SharedAddress to, const void* from, bool valid) {
  const uint64_t global = __cvta_generic_to_global(from);
  const int bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global),
                 "r"(bytes));
  } else {
    static_assert(kBytes == 4 || kBytes == 8);
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global),
                 "n"(kBytes), "r"(bytes));
  }
}
// Closes a group of this thread's copies.
ATTNRT_DEVICE void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// Waits until all but the thread's kPending latest groups have landed. Other threads see them
// behind a barrier.
template <int kPending>
ATTNRT_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// ---- Bulk copies from global to shared memory, whose bytes a barrier there counts (cp.async.bulk
// and mbarrier, sm_90)
//
// A landing is eight bytes of shared memory. Its phases follow each other, the first of parity 0:
// in each, one thread says how many bytes it has, and it ends when so many have landed.

constexpr ATTNRT_DEVICE bool has_bulk_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  return true;
#else
  return false;
#endif
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
// Other threads may use it behind a barrier.
ATTNRT_DEVICE void init_landing(SharedAddress landing) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(landing) : "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
ATTNRT_DEVICE void expect_landing(SharedAddress landing, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(landing), "r"(bytes)
               : "memory");
}
// Both addresses and bytes are multiples of 16.
ATTNRT_DEVICE void copy_bulk(SharedAddress to, const void* from, uint32_t bytes,
                             SharedAddress landing) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(to),
      "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(landing)
      : "memory");
}
// Waits for the end of the phase of this parity.
ATTNRT_DEVICE void wait_landing(SharedAddress landing, uint32_t parity) {
  uint32_t ended = 0;
  while (ended == 0) {
    asm volatile(
        "{.reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, "
        "p;}"
        : "=r"(ended)
        : "r"(landing), "r"(parity)
        : "memory");
  }
}
// What the thread wrote to shared memory comes before bulk copies that are issued behind a barrier.
ATTNRT_DEVICE void order_before_bulk() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
#else
ATTNRT_DEVICE void init_landing(SharedAddress) {}
ATTNRT_DEVICE void expect_landing(SharedAddress, uint32_t) {}
ATTNRT_DEVICE void copy_bulk(SharedAddress, const void*, uint32_t, SharedAddress) {}
ATTNRT_DEVICE void wait_landing(SharedAddress, uint32_t) {}
ATTNRT_DEVICE void order_before_bulk() {}
#endif

// ---- Collectives of a warp: all 32 threads call them together

// Four 8 x 8 matrices of 16-bit elements (ldmatrix). Thread t gives the address of 16 bytes, row
// t % 8 of matrix t / 8, and gets of matrix i the elements (t / 4, 2 (t % 4)) and the one behind.
ATTNRT_DEVICE void load_matrices(uint32_t (&to)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row)
               : "memory");
}
// The same, transposed: of matrix i the elements (2 (t % 4), t / 4) and the one below.
ATTNRT_DEVICE void load_matrices_transposed(uint32_t (&to)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row)
               : "memory");
}

// c += a b, a 16 x 16, b 16 x 8, c 16 x 8 in f32 (mma.m16n8k16), elements of Half. With g = t / 4
// and p = 2 (t % 4), thread t holds
//   a: (g, p), (g + 8, p), (g, p + 8), (g + 8, p + 8), each with the column behind;
//   b: (p, g), (p + 8, g), each with the row below;
//   c: (g, p), (g, p + 1), (g + 8, p), (g + 8, p + 1).
template <class Half>
ATTNRT_DEVICE void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (__is_same(Half, F16)) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

// The value that thread t ^ mask gave.
ATTNRT_DEVICE float shuffle_xor(float x, int mask) {
  return __shfl_xor_sync(0xFFFFFFFFU, x, mask);
}
// Whether a thread of the warp gave true.
ATTNRT_DEVICE bool any_lane(bool x) {
  return __any_sync(0xFFFFFFFFU, x) != 0;
}

// ---- Numbers

// 2^x, 0 for -infinity; relative error at most 2^-22 (ex2.approx: 2 ulp).
ATTNRT_DEVICE float exp2_fast(float x) {
  float y;
  asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
// Two floats rounded to nearest even, `low` in the low half.
template <class Half>
ATTNRT_DEVICE uint32_t pack_halves(float low, float high) {
  uint32_t x;
  if constexpr (__is_same(Half, F16)) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(x) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(x) : "f"(high), "f"(low));
  }
  return x;
}
// The products of two pairs of halves, rounded to nearest even, subnormal numbers kept.
template <class Half>
ATTNRT_DEVICE uint32_t multiply_halves(uint32_t a, uint32_t b) {
  uint32_t x;
  if constexpr (__is_same(Half, F16)) {
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(x) : "r"(a), "r"(b));
  } else {
    asm("{.reg .b32 z; mov.b32 z, 0x80008000; fma.rn.bf16x2 %0, %1, %2, z;}"
        : "=r"(x)
        : "r"(a), "r"(b));
  }
  return x;
}
// a - b of two pairs of halves, rounded to nearest even.
template <class Half>
ATTNRT_DEVICE uint32_t subtract_halves(uint32_t a, uint32_t b) {
  uint32_t x;
  if constexpr (__is_same(Half, F16)) {
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(x) : "r"(a), "r"(b));
  } else {
    asm("{.reg .b32 one; mov.b32 one, 0x3F803F80; fma.rn.bf16x2 %0, %1, one, %2;}"
        : "=r"(x)
        : "r"(a), "r"(b ^ 0x80008000U));
  }
  return x;
}
ATTNRT_DEVICE int count_bits(uint32_t x) {
  return __popc(x);
}
template <class Half>
ATTNRT_DEVICE float half_to_float(uint16_t bits) {
  if constexpr (__is_same(Half, F16)) {
    return __half2float(__ushort_as_half(bits));
  } else {
    return __uint_as_float(static_cast<uint32_t>(bits) << 16);
  }
}

// ---- Global memory

// What is written before is seen by whoever then reads the sum (release and acquire on the device).
// Returns the value before.
ATTNRT_DEVICE uint32_t add_and_order(uint32_t* at, uint32_t n) {
  __threadfence();
  const uint32_t before = atomicAdd(at, n);
  __threadfence();
  return before;
}
ATTNRT_DEVICE void add_counter(unsigned long long* at, unsigned long long n) {
  atomicAdd(at, n);
}

}  // namespace attnrt::cuda

#endif
