# The library has threads of its own; a test calls it from inside an OpenMP host. Without OpenMP that test is left out.
add_library(q3g_openmp INTERFACE)
add_library(q3g::openmp ALIAS q3g_openmp)
find_package(OpenMP QUIET COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  target_link_libraries(q3g_openmp INTERFACE OpenMP::OpenMP_CXX)
endif()
