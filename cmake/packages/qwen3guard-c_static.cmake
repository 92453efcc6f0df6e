# The C library as one archive. It needs the C++ run-time library, which a C program would not link by itself.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
if(NOT TARGET qwen3guard::c_static)
  add_library(qwen3guard::c_static STATIC IMPORTED)
  get_filename_component(q3g_libdir "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
  set_target_properties(
    qwen3guard::c_static
    PROPERTIES IMPORTED_LOCATION "${q3g_libdir}/${CMAKE_STATIC_LIBRARY_PREFIX}qwen3guard_c${CMAKE_STATIC_LIBRARY_SUFFIX}"
               INTERFACE_INCLUDE_DIRECTORIES "${PACKAGE_PREFIX_DIR}/include"
               INTERFACE_COMPILE_DEFINITIONS Q3G_STATIC
               INTERFACE_LINK_LIBRARIES "Threads::Threads;stdc++;m")
  unset(q3g_libdir)
endif()
