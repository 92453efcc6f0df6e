# 3.7.1 when fetched. An installed Catch2 2 does as well: it has one header, and its main is ours to compile.
q3g_dependency(
  catch2
  DEBIAN catch2
  CONFIG Catch2
  CONFIG_TARGET Catch2::Catch2
  MIN_VERSION 2.13
  GIT_REPOSITORY https://github.com/catchorg/Catch2.git
  GIT_TAG fa43b77429ba76c462b1898d6cd2f2d7a9416b14
  FETCHED_TARGET Catch2
  COMPILE_ONLY)
add_library(q3g_catch2_main INTERFACE)
add_library(q3g::catch2_main ALIAS q3g_catch2_main)
target_link_libraries(q3g_catch2_main INTERFACE q3g::catch2)
if(catch2_SOURCE_DIR OR q3g_catch2_VERSION VERSION_GREATER_EQUAL 3)
  target_link_libraries(q3g_catch2_main INTERFACE Catch2::Catch2WithMain)
else()
  target_compile_definitions(q3g_catch2_main INTERFACE Q3G_CATCH2_V2)
  add_library(q3g_catch2_v2_main STATIC tests/catch2_v2_main.cpp)
  target_link_libraries(q3g_catch2_v2_main PRIVATE q3g::catch2)
  target_link_libraries(q3g_catch2_main INTERFACE q3g_catch2_v2_main)
endif()

# catch_discover_tests()
if(catch2_SOURCE_DIR)
  include(${catch2_SOURCE_DIR}/extras/Catch.cmake)
else()
  include(${Catch2_DIR}/Catch.cmake)
endif()
