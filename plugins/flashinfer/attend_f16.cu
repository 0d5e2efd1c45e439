#include "attend.cuh"

ATTNRT_FLASHINFER_PAIR(kF16OverF16, half, half)
