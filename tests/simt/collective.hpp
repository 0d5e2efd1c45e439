// What the 32 threads of a warp do together.
#pragma once

namespace attnrt::simt {

enum class Collective {
  kSyncWarp,
  kShuffleXor,
  kAnyLane,
  kLoadMatrices,
  kLoadMatricesTransposed,
  kMultiplyAddF16,
  kMultiplyAddBf16,
};

// Its function in kernels/cuda/device.cuh.
constexpr const char* name(Collective c) {
  switch (c) {
    case Collective::kSyncWarp:
      return "sync_warp";
    case Collective::kShuffleXor:
      return "shuffle_xor";
    case Collective::kAnyLane:
      return "any_lane";
    case Collective::kLoadMatrices:
      return "load_matrices";
    case Collective::kLoadMatricesTransposed:
      return "load_matrices_transposed";
    case Collective::kMultiplyAddF16:
      return "multiply_add<F16>";
    case Collective::kMultiplyAddBf16:
      return "multiply_add<Bf16>";
  }
  return "";
}

}  // namespace attnrt::simt
