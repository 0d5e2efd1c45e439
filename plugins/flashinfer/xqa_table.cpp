#include "xqa_table.hpp"

#include <array>

namespace attnrt::flashinfer {

// xqa_units.inc, written by CMakeLists.txt, names each unit that is compiled.
#define ATTNRT_XQA_UNIT(name) extern const XqaUnit name;
#include "xqa_units.inc"
#undef ATTNRT_XQA_UNIT

namespace {

constexpr const char* kMissing = "this group and block size was not compiled for XQA";

#define ATTNRT_XQA_UNIT(name) &name,
constexpr std::array kUnits = {
#include "xqa_units.inc"
};
#undef ATTNRT_XQA_UNIT

const XqaUnit* find(const XqaKernel& k) {
  for (const XqaUnit* unit : kUnits) {
    if (unit->kernel.group == k.group && unit->kernel.block_size == k.block_size) return unit;
  }
  return nullptr;
}

const char* text_of(cudaError_t error) {
  if (error == cudaSuccess) return nullptr;
  cudaGetLastError();
  return cudaGetErrorString(error);
}

}  // namespace

bool has_xqa(const XqaKernel& k) {
  return find(k) != nullptr;
}

const char* prepare_xqa(const XqaKernel& k, uint32_t& shared) {
  const XqaUnit* unit = find(k);
  return unit == nullptr ? kMissing : text_of(unit->prepare(shared));
}

const char* launch_xqa(const XqaKernel& k, uint32_t shared, const XqaParams& p, void* stream) {
  const XqaUnit* unit = find(k);
  return unit == nullptr ? kMissing
                         : text_of(unit->launch(shared, p, static_cast<cudaStream_t>(stream)));
}

}  // namespace attnrt::flashinfer
