#include "kernels/cuda/attend_launch.cuh"

namespace attnrt::cuda {

template const char* launch_attend_of<Format::kE4m3Rows, F16>(const AttendKernel&, const Grid&,
                                                           const AttendParams&);
template const char* prepare_attend_of<Format::kE4m3Rows, F16>(const AttendKernel&, uint32_t);

}  // namespace attnrt::cuda
