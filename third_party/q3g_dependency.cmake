# Shared by the recipes of this folder: an installed package first, else a pinned version from its public repository.
include(FetchContent)
find_package(PkgConfig QUIET)

# q3g_dependency(<name> DEBIAN <package> GIT_REPOSITORY <url> GIT_TAG <commit>
#                [CONFIG <package>] [CONFIG_TARGET <target>] [MIN_VERSION <version>] [PKG_CONFIG <module>]
#                [FETCHED_TARGET <target> [OPTIONS <variable=value>...] | FETCHED_INCLUDE <folder>] [COMPILE_ONLY])
# Makes q3g::<name>, and sets q3g_<name>_VERSION when an installed package tells it.
# FETCHED_INCLUDE: only headers are used, so the dependency's own build is left out.
# COMPILE_ONLY: who links a static qwen3guard needs nothing of it.
# A folder in FETCHCONTENT_SOURCE_DIR_<NAME> is taken instead of both. Q3G_BUNDLE_DEPENDENCIES: what is linked is never
# an installed package, so that the result stands alone.
function(q3g_dependency name)
  set(one_value DEBIAN GIT_REPOSITORY GIT_TAG CONFIG CONFIG_TARGET MIN_VERSION PKG_CONFIG FETCHED_TARGET
                FETCHED_INCLUDE)
  cmake_parse_arguments(PARSE_ARGV 1 arg "COMPILE_ONLY" "${one_value}" "OPTIONS")
  add_library(q3g_${name} INTERFACE)
  add_library(q3g::${name} ALIAS q3g_${name})
  string(TOUPPER ${name} upper)
  set(found "")
  if(NOT FETCHCONTENT_SOURCE_DIR_${upper} AND (arg_COMPILE_ONLY OR NOT Q3G_BUNDLE_DEPENDENCIES))
    q3g_find_installed()
  endif()
  if(NOT found)
    if(NOT Q3G_ALLOW_DOWNLOADS AND NOT FETCHCONTENT_SOURCE_DIR_${upper})
      message(FATAL_ERROR "qwen3guard needs ${name}: install it (Debian, Ubuntu: ${arg_DEBIAN}) "
                          "or configure with -DQ3G_ALLOW_DOWNLOADS=ON")
    endif()
    q3g_fetch()
  endif()
  if(NOT arg_COMPILE_ONLY)
    set_property(GLOBAL APPEND PROPERTY Q3G_LINK_TARGETS q3g_${name} ${fetched_targets})
    set_property(GLOBAL APPEND PROPERTY Q3G_BUNDLED_TARGETS ${fetched_targets})
    set_property(GLOBAL APPEND PROPERTY Q3G_PACKAGE_FIND "${find_again}")
  endif()
  set(q3g_${name}_VERSION "${version}" PARENT_SCOPE)
endfunction()

# Parts of q3g_dependency, in its scope.
macro(q3g_find_installed)
  if(arg_CONFIG)
    find_package(${arg_CONFIG} CONFIG QUIET)
    set(version "${${arg_CONFIG}_VERSION}")
    if(${arg_CONFIG}_FOUND AND NOT (arg_MIN_VERSION AND version VERSION_LESS arg_MIN_VERSION))
      set(found ${arg_CONFIG_TARGET})
      set(find_again "find_dependency(${arg_CONFIG} CONFIG)")
    endif()
  endif()
  if(NOT found AND arg_PKG_CONFIG AND PkgConfig_FOUND)
    pkg_check_modules(q3g_${name} QUIET IMPORTED_TARGET ${arg_PKG_CONFIG})
    if(q3g_${name}_FOUND)
      set(version "${q3g_${name}_VERSION}")
      set(found PkgConfig::q3g_${name})
      set(find_again "q3g_find_dependency_by_pkg_config(q3g_${name} ${arg_PKG_CONFIG})")
    endif()
  endif()
  if(found)
    message(STATUS "qwen3guard: ${name} ${version} is installed")
    target_link_libraries(q3g_${name} INTERFACE ${found})
  endif()
endmacro()

macro(q3g_fetch)
  message(STATUS "qwen3guard: ${name} is not installed (Debian, Ubuntu: ${arg_DEBIAN}); fetching it")
  set(version "")
  # The folder in SOURCE_SUBDIR does not exist: MakeAvailable then only brings the files. What is built of them is
  # added below, static, without its tests and without its install rules.
  FetchContent_Declare(${name} GIT_REPOSITORY ${arg_GIT_REPOSITORY} GIT_TAG ${arg_GIT_TAG} SOURCE_SUBDIR q3g-none)
  FetchContent_MakeAvailable(${name})
  if(arg_FETCHED_INCLUDE)
    target_include_directories(
      q3g_${name} SYSTEM INTERFACE $<BUILD_INTERFACE:${${name}_SOURCE_DIR}/${arg_FETCHED_INCLUDE}>)
  else()
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)      # the variables below win over the dependency's option()
    set(CMAKE_POLICY_VERSION_MINIMUM 3.5)      # CMake 4 refuses older minimum versions otherwise
    set(CMAKE_WARN_DEPRECATED OFF)
    set(BUILD_SHARED_LIBS OFF)
    foreach(option IN LISTS arg_OPTIONS)
      string(REPLACE "=" ";" option "${option}")
      set(${option})
    endforeach()
    add_subdirectory(${${name}_SOURCE_DIR} ${${name}_BINARY_DIR} EXCLUDE_FROM_ALL)
    # Its headers are system headers (no warnings), and their place in this build is not part of our package.
    get_target_property(includes ${arg_FETCHED_TARGET} INTERFACE_INCLUDE_DIRECTORIES)
    list(FILTER includes EXCLUDE REGEX "INSTALL_INTERFACE")
    list(TRANSFORM includes REPLACE "^\\$<BUILD_INTERFACE:(.+)>$" "\\1")
    list(TRANSFORM includes REPLACE "^(.+)$" "$<BUILD_INTERFACE:\\1>")
    set_target_properties(
      ${arg_FETCHED_TARGET} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${includes}"
                                       INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${includes}")
    target_link_libraries(q3g_${name} INTERFACE ${arg_FETCHED_TARGET})
    set(fetched_targets ${arg_FETCHED_TARGET})
    set(find_again "find_dependency(Threads)")
  endif()
  set(${name}_SOURCE_DIR "${${name}_SOURCE_DIR}" PARENT_SCOPE)
endmacro()
