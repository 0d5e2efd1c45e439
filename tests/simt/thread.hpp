// What a kernel's thread can do, as the shim's compiled part offers it: device.hpp gives it the
// names that kernels use.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace attnrt::simt {

int thread_index();
int block_index();

uint32_t shared_memory();
constexpr bool is_shared_access(size_t bytes) {
  return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16;
}
// The checked place of an access.
const uint8_t* read_shared(uint32_t at, uint32_t bytes);
uint8_t* write_shared(uint32_t at, uint32_t bytes);

void sync_block();
void sync_warp();

void copy_async(uint32_t to, const void* from, uint32_t bytes, bool valid);
void commit_copies();
void wait_copies(int pending);

bool has_bulk_copies();
void init_landing(uint32_t landing);
void expect_landing(uint32_t landing, uint32_t bytes);
void copy_bulk(uint32_t to, const void* from, uint32_t bytes, uint32_t landing);
void wait_landing(uint32_t landing, uint32_t parity);

void load_matrices(uint32_t (&to)[4], uint32_t row);
void load_matrices_transposed(uint32_t (&to)[4], uint32_t row);
template <class Half>
void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
uint32_t shuffle_xor(uint32_t x, int mask);
bool any_lane(bool x);

}  // namespace attnrt::simt
