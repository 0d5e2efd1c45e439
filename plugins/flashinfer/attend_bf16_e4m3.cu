#include "attend.cuh"

ATTNRT_FLASHINFER_PAIR(kBf16OverE4m3, nv_bfloat16, __nv_fp8_e4m3)
