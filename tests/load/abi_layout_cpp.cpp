// The ABI's layout, seen by a C++ compiler.
#include <type_traits>

#include "abi_layout.h"

static_assert(std::is_trivially_copyable_v<attnrt_plugin>);
static_assert(std::is_standard_layout_v<attnrt_batch>);
