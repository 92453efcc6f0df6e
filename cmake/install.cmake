# The library, its public headers and what find_package(qwen3guard) needs.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(q3g_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/qwen3guard)

install(TARGETS qwen3guard EXPORT qwen3guardTargets)
file(GLOB q3g_public_headers CONFIGURE_DEPENDS include/qwen3guard/*.hpp)
install(FILES ${q3g_public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/qwen3guard)
if(TARGET qwen3guard_cli)
  install(TARGETS qwen3guard_cli)
endif()
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/qwen3guard)

# A static library names the libraries it needs at link time, so they are part of the package.
set(q3g_package_find "")
if(NOT BUILD_SHARED_LIBS)
  get_property(q3g_link_targets GLOBAL PROPERTY Q3G_LINK_TARGETS)
  install(TARGETS ${q3g_link_targets} EXPORT qwen3guardTargets)
  get_property(q3g_package_find GLOBAL PROPERTY Q3G_PACKAGE_FIND)
  list(JOIN q3g_package_find "\n" q3g_package_find)
endif()
install(EXPORT qwen3guardTargets NAMESPACE qwen3guard:: DESTINATION ${q3g_package_dir})

configure_package_config_file(cmake/qwen3guardConfig.cmake.in qwen3guardConfig.cmake
                              INSTALL_DESTINATION ${q3g_package_dir})
write_basic_package_version_file(qwen3guardConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/qwen3guardConfig.cmake ${PROJECT_BINARY_DIR}/qwen3guardConfigVersion.cmake
        DESTINATION ${q3g_package_dir})
