// This machine's data caches, as the system describes them.
#pragma once

#include <cstdint>

namespace attnrt::bench {

// Bytes; 0: there is none, or the system does not tell. A virtual machine may name the whole
// socket's L3, of which it has a share.
struct CacheSizes {
  int64_t l1 = 0;  // data, of one core
  int64_t l2 = 0;  // of one core
  int64_t l3 = 0;
};
CacheSizes cache_sizes();

// The KV that a benchmark walks through before it meets a page again: 256 MiB, more where a last
// level cache would keep that, within what memory allows.
int64_t cold_bytes(const CacheSizes& caches, int64_t available_memory);

}  // namespace attnrt::bench
