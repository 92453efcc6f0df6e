# 0.8.1. One header, compiled into the only file that uses it.
q3g_dependency(
  xxhash
  DEBIAN libxxhash-dev
  PKG_CONFIG libxxhash>=0.8
  GIT_REPOSITORY https://github.com/Cyan4973/xxHash.git
  GIT_TAG 35b0373c697b5f160d3db26b1cbb45a0d5ba788c
  FETCHED_INCLUDE .
  COMPILE_ONLY)
if(TARGET PkgConfig::q3g_xxhash)
  # Everything is inline, so the library that belongs to the header is not linked.
  set_target_properties(q3g_xxhash PROPERTIES INTERFACE_LINK_LIBRARIES "")
  get_target_property(q3g_xxhash_includes PkgConfig::q3g_xxhash INTERFACE_INCLUDE_DIRECTORIES)
  if(q3g_xxhash_includes)
    target_include_directories(q3g_xxhash SYSTEM INTERFACE ${q3g_xxhash_includes})
  endif()
endif()
