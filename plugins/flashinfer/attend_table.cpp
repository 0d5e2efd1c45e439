#include "attend_table.hpp"

namespace attnrt::flashinfer {
namespace {

constexpr const char* kMissing = "this pair of types was not compiled";

const PairTable* find(const AttendKernel& k) {
  const bool bf16 = k.half == Half::kBf16;
  switch (k.stored) {
    case Stored::kBf16:
      return bf16 ? &kBf16OverBf16 : nullptr;
    case Stored::kF16:
      return bf16 ? nullptr : &kF16OverF16;
    case Stored::kE4m3:
      return bf16 ? &kBf16OverE4m3 : &kF16OverE4m3;
    case Stored::kE5m2:
      return bf16 ? &kBf16OverE5m2 : nullptr;
  }
  return nullptr;
}

}  // namespace

bool has_attend(const AttendKernel& k) {
  const PairTable* pair = find(k);
  return pair != nullptr && pair->has(k.head_dim);
}

const char* prepare_attend(const AttendKernel& k, int32_t shared_per_multiprocessor) {
  const PairTable* pair = find(k);
  return pair == nullptr ? kMissing : pair->prepare(k.head_dim, shared_per_multiprocessor);
}

const char* launch_attend(const AttendKernel& k, int32_t shared_per_multiprocessor,
                          const AttendParams& params, void* stream) {
  const PairTable* pair = find(k);
  return pair == nullptr ? kMissing
                         : pair->launch(k.head_dim, shared_per_multiprocessor, params,
                                        static_cast<cudaStream_t>(stream));
}

}  // namespace attnrt::flashinfer
