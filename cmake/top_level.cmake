# Comforts for those who work on the project itself; a project that adds this one keeps its own settings.
get_property(q3g_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT q3g_multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(Q3G_CCACHE ccache)
mark_as_advanced(Q3G_CCACHE)
if(Q3G_CCACHE)
  foreach(language IN ITEMS C CXX)
    if(NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${Q3G_CCACHE})
    endif()
  endforeach()
endif()

# An installed program finds the shared library beside it, wherever the installation is moved to.
include(GNUInstallDirs)
if(APPLE)
  set(CMAKE_INSTALL_RPATH "@loader_path/../${CMAKE_INSTALL_LIBDIR}")
elseif(UNIX)
  set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
endif()
