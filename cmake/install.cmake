# What `cmake --install` lays down, in four components: c_runtime (the C library's shared object), c_development (its
# header, archive and packages), cpp_development (the C++ library and headers), program. A static and a shared C++
# library can be installed to the same place by two builds.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(q3g_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/qwen3guard)
set(q3g_pkg_config_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(q3g_variant static)
if(BUILD_SHARED_LIBS)
  set(q3g_variant shared)
endif()

# The C++ library. A static one names the libraries it needs at link time, so they are part of the package.
set_target_properties(qwen3guard PROPERTIES EXPORT_NAME ${q3g_variant})
install(
  TARGETS qwen3guard
  EXPORT qwen3guard-${q3g_variant}
  COMPONENT cpp_development)
file(GLOB q3g_public_headers CONFIGURE_DEPENDS include/qwen3guard/*.hpp)
install(FILES ${q3g_public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/qwen3guard COMPONENT cpp_development)
set(q3g_package_find "")
set(q3g_private_libraries "")
if(NOT BUILD_SHARED_LIBS)
  get_property(q3g_link_targets GLOBAL PROPERTY Q3G_LINK_TARGETS)
  install(
    TARGETS ${q3g_link_targets}
    EXPORT qwen3guard-${q3g_variant}
    # Archives that were built for this library alone stay out of the way of others.
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/qwen3guard COMPONENT cpp_development)
  get_property(q3g_package_find GLOBAL PROPERTY Q3G_PACKAGE_FIND)
  list(REMOVE_DUPLICATES q3g_package_find)
  list(JOIN q3g_package_find "\n" q3g_package_find)
  set(q3g_private_libraries "-L\${libdir}/qwen3guard -lre2 -lutf8proc -lsimdjson -lpthread -lstdc++ -lm")
  configure_file(cmake/packages/static-dependencies.cmake.in qwen3guard-static-dependencies.cmake @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/qwen3guard-static-dependencies.cmake DESTINATION ${q3g_package_dir}
          COMPONENT cpp_development)
endif()
install(
  EXPORT qwen3guard-${q3g_variant}
  NAMESPACE qwen3guard::
  FILE qwen3guard-${q3g_variant}.cmake
  DESTINATION ${q3g_package_dir}
  COMPONENT cpp_development)

# The C library.
if(TARGET qwen3guard_c)
  set_target_properties(qwen3guard_c PROPERTIES EXPORT_NAME c)
  install(
    TARGETS qwen3guard_c
    EXPORT qwen3guard-c
    RUNTIME COMPONENT c_runtime
    LIBRARY COMPONENT c_runtime NAMELINK_COMPONENT c_development
    ARCHIVE COMPONENT c_development)
  install(FILES capi/qwen3guard.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT c_development)
  install(
    EXPORT qwen3guard-c
    NAMESPACE qwen3guard::
    DESTINATION ${q3g_package_dir}
    COMPONENT c_development)
  if(TARGET qwen3guard_c_archive)
    install(FILES ${q3g_c_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT c_development)
    install(FILES cmake/packages/qwen3guard-c_static.cmake DESTINATION ${q3g_package_dir} COMPONENT c_development)
  endif()
endif()

if(TARGET qwen3guard_cli)
  install(TARGETS qwen3guard_cli COMPONENT program)
endif()

# pkg-config. The files find their own place, so that an installation can be moved.
file(RELATIVE_PATH q3g_pc_prefix /${q3g_pkg_config_dir} /)
foreach(module IN ITEMS qwen3guard qwen3guard_c)
  set(component cpp_development)
  if(module STREQUAL "qwen3guard_c")
    set(component c_development)
    if(NOT TARGET qwen3guard_c)
      continue()
    endif()
  endif()
  configure_file(cmake/packages/${module}.pc.in ${module}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${module}.pc DESTINATION ${q3g_pkg_config_dir} COMPONENT ${component})
endforeach()

# The CMake package belongs to both development components: each brings it.
configure_package_config_file(cmake/packages/qwen3guardConfig.cmake.in qwen3guardConfig.cmake
                              INSTALL_DESTINATION ${q3g_package_dir})
write_basic_package_version_file(qwen3guardConfigVersion.cmake COMPATIBILITY SameMinorVersion)
foreach(component IN ITEMS c_development cpp_development)
  install(FILES ${PROJECT_BINARY_DIR}/qwen3guardConfig.cmake ${PROJECT_BINARY_DIR}/qwen3guardConfigVersion.cmake
          DESTINATION ${q3g_package_dir} COMPONENT ${component})
endforeach()
foreach(component IN ITEMS c_runtime c_development cpp_development program)
  install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT ${component})
endforeach()

include(cmake/packages/cpack.cmake)
