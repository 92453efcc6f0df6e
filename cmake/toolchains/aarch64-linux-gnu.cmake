# 64-bit Arm Linux by Debian's cross compiler (g++-aarch64-linux-gnu); what it makes runs under qemu-user, as the CPU
# that the environment variable QEMU_CPU names.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi) # notes on what changed between versions of the compiler

# Debian keeps the libraries of several architectures side by side: CMake looks in lib/aarch64-linux-gnu by itself,
# pkg-config has to be told not to offer this machine's.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)

find_program(Q3G_QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
mark_as_advanced(Q3G_QEMU_AARCH64)
if(Q3G_QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${Q3G_QEMU_AARCH64} -L /usr/aarch64-linux-gnu)
endif()
