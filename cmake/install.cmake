# What `cmake --install` lays down, in these components: c_runtime (the C library's shared object), c_development (its
# header, archive and packages), cpp_runtime (the C++ library, when it is a shared one), cpp_development (its headers,
# archive and packages), program, manual, licences. A static and a shared C++ library can be installed to the same place
# by two builds.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(q3g_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/qwen3guard)
set(q3g_pkg_config_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(q3g_variant static)
if(BUILD_SHARED_LIBS)
  set(q3g_variant shared)
endif()
# What runs the loops (Q3G_PARALLEL), for those who link an archive: by name, as C programs and pkg-config need it.
set(q3g_parallel_libraries "")
if(Q3G_PARALLEL STREQUAL "openmp")
  list(APPEND q3g_parallel_libraries ${OpenMP_CXX_LIB_NAMES})
endif()
if(NOT Q3G_PARALLEL STREQUAL "none")
  list(APPEND q3g_parallel_libraries pthread)
endif()
list(REMOVE_DUPLICATES q3g_parallel_libraries)

# A static C++ library is inside the C library and the program: they look for nothing beside themselves.
if(NOT BUILD_SHARED_LIBS)
  foreach(target IN ITEMS qwen3guard_c qwen3guard_cli)
    if(TARGET ${target})
      set_target_properties(${target} PROPERTIES INSTALL_RPATH "")
    endif()
  endforeach()
endif()

# The C++ library. A static one names the libraries it needs at link time, so they are part of the package.
set_target_properties(qwen3guard PROPERTIES EXPORT_NAME ${q3g_variant})
install(
  TARGETS qwen3guard
  EXPORT qwen3guard-${q3g_variant}
  RUNTIME COMPONENT cpp_runtime
  LIBRARY COMPONENT cpp_runtime NAMELINK_COMPONENT cpp_development
  ARCHIVE COMPONENT cpp_development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
file(GLOB q3g_public_headers CONFIGURE_DEPENDS include/qwen3guard/*.hpp)
install(FILES ${q3g_public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/qwen3guard COMPONENT cpp_development)
set(q3g_package_find "")
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
    ARCHIVE COMPONENT c_development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(FILES capi/qwen3guard.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT c_development)
  install(
    EXPORT qwen3guard-c
    NAMESPACE qwen3guard::
    DESTINATION ${q3g_package_dir}
    COMPONENT c_development)
  set(q3g_cxx_library stdc++)
  if("c++" IN_LIST CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
    set(q3g_cxx_library c++)
  endif()
  if(TARGET qwen3guard_c_archive)
    install(FILES ${q3g_c_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT c_development)
    get_filename_component(q3g_c_archive_name ${q3g_c_archive} NAME)
    # Folders may be absolute ones.
    foreach(folder IN ITEMS INCLUDEDIR LIBDIR)
      file(RELATIVE_PATH q3g_${folder}_from_package ${CMAKE_INSTALL_FULL_LIBDIR}/cmake/qwen3guard
           ${CMAKE_INSTALL_FULL_${folder}})
    endforeach()
    set(q3g_c_static_libraries ${q3g_cxx_library} ${q3g_parallel_libraries} m)
    configure_file(cmake/packages/qwen3guard-c_static.cmake.in qwen3guard-c_static.cmake @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/qwen3guard-c_static.cmake DESTINATION ${q3g_package_dir} COMPONENT c_development)
  endif()
endif()

if(TARGET qwen3guard_cli)
  install(TARGETS qwen3guard_cli COMPONENT program)
  install(FILES cmake/packages/qwen3guard.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT manual)
  install(FILES src/cli/output.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/qwen3guard COMPONENT program)
endif()

# What policies may say, for editors, and the library's own ones as files to begin with.
install(FILES src/guard/policy/policy.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/qwen3guard COMPONENT program)
install(
  DIRECTORY src/guard/policy/presets/
  DESTINATION ${CMAKE_INSTALL_DATADIR}/qwen3guard/policies
  COMPONENT program)

include(cmake/packages/pkg_config.cmake)

# The CMake package belongs to both development components: each brings it.
configure_package_config_file(cmake/packages/qwen3guardConfig.cmake.in qwen3guardConfig.cmake
                              INSTALL_DESTINATION ${q3g_package_dir})
write_basic_package_version_file(qwen3guardConfigVersion.cmake COMPATIBILITY SameMinorVersion)
foreach(component IN ITEMS c_development cpp_development)
  install(FILES ${PROJECT_BINARY_DIR}/qwen3guardConfig.cmake ${PROJECT_BINARY_DIR}/qwen3guardConfigVersion.cmake
          DESTINATION ${q3g_package_dir} COMPONENT ${component})
endforeach()
# A Python wheel is one component; Debian's packages have files of their own for this.
set(q3g_licence_component licences)
if(SKBUILD)
  set(q3g_licence_component c_runtime)
endif()
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT ${q3g_licence_component})

# The licences of libraries that are built in ask to go with them.
set(q3g_licence_libraries "")
get_property(q3g_bundled GLOBAL PROPERTY Q3G_BUNDLED_TARGETS)
foreach(library IN LISTS q3g_bundled)
  file(GLOB q3g_licence ${${library}_SOURCE_DIR}/LICENSE ${${library}_SOURCE_DIR}/LICENSE.md)
  if(q3g_licence)
    list(APPEND q3g_licence_libraries ${library})
    list(GET q3g_licence 0 q3g_licence_of_${library})
    install(FILES ${q3g_licence_of_${library}} DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME LICENSE.${library}
            COMPONENT ${q3g_licence_component})
  endif()
endforeach()

if(NOT SKBUILD)
  include(cmake/packages/cpack.cmake)
endif()
