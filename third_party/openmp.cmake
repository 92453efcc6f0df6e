# The compiler's OpenMP: the host's threads run the library's loops with Q3G_PARALLEL=openmp. Tests use it as
# a host does, and leave that out where there is none.
add_library(q3g_openmp INTERFACE)
add_library(q3g::openmp ALIAS q3g_openmp)
find_package(OpenMP QUIET COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  target_link_libraries(q3g_openmp INTERFACE OpenMP::OpenMP_CXX)
endif()
if(Q3G_PARALLEL STREQUAL "openmp")
  if(NOT OpenMP_CXX_FOUND OR OpenMP_CXX_VERSION VERSION_LESS 3.0)
    message(FATAL_ERROR "qwen3guard: Q3G_PARALLEL=openmp needs a compiler with OpenMP 3.0 or later "
                        "(Clang on Debian, Ubuntu: libomp-dev)")
  endif()
  set_property(GLOBAL APPEND PROPERTY Q3G_PACKAGE_FIND "find_dependency(OpenMP COMPONENTS CXX)")
endif()
