// The device service of the SIMT shim.
#pragma once

#include <attnrt/plugin.h>

namespace attnrt::cuda {

// Memory is the host's, streams are simt::Stream, graphs what they have captured, and events times
// of the host's clock. Everything that is not captured is done when a call returns.
const attnrt_device_service& simt_service();

}  // namespace attnrt::cuda
