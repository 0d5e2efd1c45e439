# Cross-compiles for AArch64 on Debian or Ubuntu (g++-aarch64-linux-gnu) and runs what was built in
# QEMU (qemu-user), as a CPU of the base instruction set: an instruction beyond it ends a test.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu cortex-a53 -L /usr/aarch64-linux-gnu)
