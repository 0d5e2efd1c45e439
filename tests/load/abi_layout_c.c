/* The ABI's layout, seen by a C11 compiler. */
#include "abi_layout.h"

extern const int attnrt_abi_layout_checked_as_c;
const int attnrt_abi_layout_checked_as_c = 1;
