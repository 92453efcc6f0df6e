# OpenMP is part of the compiler; there is nothing to fetch. Without it a call runs on one thread.
add_library(q3g_openmp INTERFACE)
add_library(q3g::openmp ALIAS q3g_openmp)
set_property(GLOBAL APPEND PROPERTY Q3G_LINK_TARGETS q3g_openmp)
find_package(OpenMP QUIET COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  message(STATUS "qwen3guard: OpenMP ${OpenMP_CXX_VERSION} is in the compiler")
  target_link_libraries(q3g_openmp INTERFACE OpenMP::OpenMP_CXX)
  set_property(GLOBAL APPEND PROPERTY Q3G_PACKAGE_FIND "find_dependency(OpenMP COMPONENTS CXX)")
else()
  message(WARNING "qwen3guard: the compiler has no OpenMP (Debian, Ubuntu, for Clang: libomp-dev); "
                  "calls run on one thread")
endif()
