#include "attend.cuh"

ATTNRT_FLASHINFER_PAIR(kBf16OverBf16, nv_bfloat16, nv_bfloat16)
