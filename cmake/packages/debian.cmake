# The .deb files: names, descriptions and dependencies. What lintian still finds in them is in docs/packages.md.
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
find_program(Q3G_DPKG_SHLIBDEPS dpkg-shlibdeps)
mark_as_advanced(Q3G_DPKG_SHLIBDEPS)
if(Q3G_DPKG_SHLIBDEPS)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  # The program and the C library may need a shared C++ library that no installed package has yet.
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/src)
endif()
# Programs that are built against the libraries get their dependencies from this.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY "=")

set(q3g_cpp_package libqwen3guard${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(q3g_cpp_depends "")
set(q3g_development_depends "")
if(BUILD_SHARED_LIBS)
  set(q3g_cpp_depends "${q3g_cpp_package} (= ${PROJECT_VERSION})")
  list(APPEND q3g_development_depends "${q3g_cpp_depends}")
endif()

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libqwen3guard-c1)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "${q3g_cpp_depends}")
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION
    "Judges prompts and responses with the Qwen3Guard models, on the CPU, whole or
token by token. This package has the shared library with the C interface.")

# dpkg renews the cache of the dynamic linker once for all packages.
file(WRITE ${PROJECT_BINARY_DIR}/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/triggers)
set(CPACK_DEBIAN_SHARED_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/triggers)

set(CPACK_DEBIAN_SHARED_PACKAGE_NAME ${q3g_cpp_package})
set(CPACK_DEBIAN_SHARED_DESCRIPTION
    "Judges prompts and responses with the Qwen3Guard models, on the CPU, whole or
token by token. This package has the shared library with the C++ interface.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libqwen3guard-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
    "Judges prompts and responses with the Qwen3Guard models, on the CPU, whole or
token by token. This package has the headers of the C and the C++ interface,
the libraries to link, and files for CMake and pkg-config.")
if(TARGET qwen3guard_c)
  list(APPEND q3g_development_depends "libqwen3guard-c1 (= ${PROJECT_VERSION})")
endif()
if(NOT BUILD_SHARED_LIBS AND NOT Q3G_BUNDLE_DEPENDENCIES)
  # A static C++ library cannot be linked without them.
  list(APPEND q3g_development_depends libre2-dev libutf8proc-dev libsimdjson-dev)
endif()
list(JOIN q3g_development_depends ", " CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME qwen3guard)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION text)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS "${q3g_cpp_depends}")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION
    "Judges prompts and responses with the Qwen3Guard models, on the CPU, whole or
 token by token, as text or as JSON. This package has the program.")

# Each package has a copyright file of its own: two that brought the same file could not be installed together.
# EXCLUDE_FROM_ALL: only packages have it; `cmake --install` lays down LICENSE and NOTICE.
file(READ NOTICE q3g_notice)
set(q3g_copyright "${q3g_notice}
The Apache License, Version 2.0, is in /usr/share/common-licenses/Apache-2.0
on Debian systems.
")
foreach(library IN LISTS q3g_licence_libraries)
  file(READ ${q3g_licence_of_${library}} q3g_licence)
  if(q3g_licence MATCHES "Apache License") # The line above is for it, too.
    set(q3g_licence "Licensed under the Apache License, Version 2.0.\n")
  endif()
  string(APPEND q3g_copyright "\nThe libraries hold a copy of ${library}:\n\n${q3g_licence}")
endforeach()
file(WRITE ${PROJECT_BINARY_DIR}/copyright "${q3g_copyright}")
foreach(
  pair IN
  ITEMS c_runtime:libqwen3guard-c1 cpp_runtime:${q3g_cpp_package} cpp_development:libqwen3guard-dev program:qwen3guard)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  install(FILES ${PROJECT_BINARY_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${package}
          COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()
find_program(Q3G_GZIP gzip)
mark_as_advanced(Q3G_GZIP)
if(Q3G_GZIP)
  execute_process(COMMAND ${Q3G_GZIP} -9nc INPUT_FILE ${PROJECT_SOURCE_DIR}/cmake/packages/qwen3guard.1
                  OUTPUT_FILE ${PROJECT_BINARY_DIR}/qwen3guard.1.gz)
  install(FILES ${PROJECT_BINARY_DIR}/qwen3guard.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program
          EXCLUDE_FROM_ALL)
endif()
