// In the CUDA runtime's place, for FlashInfer's plans: a device that the host plays. Only what they
// call.
#pragma once

namespace attnrt::flashinfer::testing {

inline constexpr int kMultiprocessors = 6;

}  // namespace attnrt::flashinfer::testing
