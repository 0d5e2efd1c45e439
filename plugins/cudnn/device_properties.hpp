// What cuDNN asks a device for, written down, so that it can be asked about a device that is not
// there.
#pragma once

#include <cstdint>
#include <string>

namespace attnrt::cudnn {

// JSON in cuDNN's own words. sm: 80, 86, 89, 90, 100, 103 or 120.
std::string device_properties(int32_t sm);

}  // namespace attnrt::cudnn
