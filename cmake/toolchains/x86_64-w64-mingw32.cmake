# 64-bit Windows by Debian's cross compiler (g++-mingw-w64-x86-64-posix); what it makes runs under Wine. The compiler's
# run-time libraries are linked in, so that a DLL needs what every Windows has.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -static)
# No library of this machine is one for Windows.
set(ENV{PKG_CONFIG_LIBDIR} /nonexistent)
