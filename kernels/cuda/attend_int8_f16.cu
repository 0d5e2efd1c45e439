#include "kernels/cuda/attend_launch.cuh"

namespace attnrt::cuda {

template const char* launch_attend_of<Format::kInt8, F16>(const AttendKernel&, const Grid&,
                                                           const AttendParams&);
template const char* prepare_attend_of<Format::kInt8, F16>(const AttendKernel&, uint32_t);

}  // namespace attnrt::cuda
