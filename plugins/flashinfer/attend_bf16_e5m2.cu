#include "attend.cuh"

ATTNRT_FLASHINFER_PAIR(kBf16OverE5m2, nv_bfloat16, __nv_fp8_e5m2)
