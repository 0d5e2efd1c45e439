#include "attend.cuh"

ATTNRT_FLASHINFER_PAIR(kF16OverE4m3, half, __nv_fp8_e4m3)
