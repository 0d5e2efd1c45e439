// What stands between a batch and a library that wants page tables of its own: tables counted in
// pages instead of blocks, and rows that no key is seen from.
#pragma once

#include <stdint.h>

#include "kernels/cuda/params.hpp"

namespace attnrt::cuda {

// Of a batch, in device memory, so that a captured launch sees the next batch's.
struct BlockTable {
  const int32_t* blocks;  // [sequences, stride]
  int64_t stride;
};

// Arrays are on the device and i32 [sequences].
struct PageTableParams {
  const BlockTable* table;
  const int32_t* kv_lengths;
  const int32_t* first_pages;  // before it, entries of the block table are not read
  const int32_t* first_rows;   // of a sequence's queries in out and lse
  const int32_t* empty_rows;   // of them, how many see no key: the first
  int32_t* k_table;            // [sequences, width]: block * pages_per_block
  int32_t* v_table;
  uint8_t* out;  // rows of row_bytes, a multiple of 4
  float* lse;    // [rows, heads]; null: not wanted
  int32_t sequences;
  int32_t width;
  int32_t block_size;
  int32_t k_pages_per_block;
  int32_t v_pages_per_block;
  int32_t row_bytes;
  int32_t heads;
};

// Entries that no key is read through name a page that is, so that a library may load ahead.
// Both return null, or why not.
const char* prepare_page_tables();
const char* launch_page_tables(void* stream, const PageTableParams& params);

}  // namespace attnrt::cuda
