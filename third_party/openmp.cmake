# OpenMP: part of the compiler; there is nothing to fetch. Without it the library runs on one thread.
add_library(q3g_openmp INTERFACE)
add_library(q3g::openmp ALIAS q3g_openmp)
find_package(OpenMP COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  target_link_libraries(q3g_openmp INTERFACE OpenMP::OpenMP_CXX)
else()
  message(WARNING "qwen3guard: no OpenMP in this compiler; calls run on one thread")
endif()
