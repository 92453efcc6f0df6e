# The drop-in, docs/drop_in.md: target qwen3guard_amalgamation writes it to drop_in/ of the build folder.
find_package(Python3 3.10 QUIET COMPONENTS Interpreter)
if(NOT Python3_FOUND)
  return()
endif()
find_path(Q3G_XXHASH_FOLDER xxhash.h HINTS ${xxhash_SOURCE_DIR} ${q3g_xxhash_INCLUDE_DIRS})
mark_as_advanced(Q3G_XXHASH_FOLDER)
set(q3g_drop_in_dir ${PROJECT_BINARY_DIR}/drop_in)
set(q3g_drop_in_sources "")
set(q3g_drop_in_arguments ${q3g_drop_in_dir} --xxhash=${Q3G_XXHASH_FOLDER} ${q3g_drop_in_isas})
# The sources of the other two: those that this build compiles, else what scripts/fetch_sources.sh brings.
foreach(name IN ITEMS utf8proc simdjson)
  string(TOUPPER FETCHCONTENT_SOURCE_DIR_${name} folder)
  set(folder ${${folder}} ${${name}_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/build/sources/${name})
  list(GET folder 0 folder)
  list(APPEND q3g_drop_in_arguments --${name}=${folder})
endforeach()
foreach(isa IN LISTS q3g_drop_in_isas)
  string(REGEX REPLACE "^--isa=[^/]+/([^=]+)=.*$" "${q3g_drop_in_dir}/qwen3guard_\\1.cpp" source "${isa}")
  list(APPEND q3g_drop_in_sources ${source})
endforeach()
list(APPEND q3g_drop_in_sources ${q3g_drop_in_dir}/qwen3guard_nano.cpp)
file(
  GLOB_RECURSE q3g_drop_in_inputs CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/include/*.hpp
  ${PROJECT_SOURCE_DIR}/src/*.hpp
  ${PROJECT_SOURCE_DIR}/src/*.cc
  ${PROJECT_SOURCE_DIR}/src/*.inl
  ${PROJECT_SOURCE_DIR}/src/embedded/*.json
  ${PROJECT_SOURCE_DIR}/src/embedded/models.txt
  ${PROJECT_SOURCE_DIR}/src/embedded/nano*
  ${PROJECT_SOURCE_DIR}/capi/*.cc
  ${PROJECT_SOURCE_DIR}/capi/*.h
  ${PROJECT_SOURCE_DIR}/capi/*.hpp)
add_custom_command(
  OUTPUT ${q3g_drop_in_dir}/qwen3guard.hpp ${q3g_drop_in_dir}/qwen3guard.h ${q3g_drop_in_sources}
  COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/scripts/amalgamate.py ${q3g_drop_in_arguments}
  DEPENDS ${PROJECT_SOURCE_DIR}/scripts/amalgamate.py ${q3g_drop_in_inputs}
  VERBATIM)
add_custom_target(qwen3guard_amalgamation DEPENDS ${q3g_drop_in_dir}/qwen3guard.hpp)

# What is built with the library, against the drop-in's objects.
if(Q3G_TEST_DROP_IN)
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/drop_in_implementation.cpp CONTENT "#define QWEN3GUARD_IMPLEMENTATION\n#include \"qwen3guard.hpp\"\n")
  add_library(qwen3guard_drop_in OBJECT ${PROJECT_BINARY_DIR}/drop_in_implementation.cpp ${q3g_drop_in_sources})
  target_include_directories(qwen3guard_drop_in PRIVATE ${q3g_drop_in_dir} INTERFACE ${PROJECT_SOURCE_DIR}/include)
  target_compile_features(qwen3guard_drop_in PUBLIC cxx_std_20)
  if(Q3G_PARALLEL STREQUAL "none")
    target_compile_definitions(qwen3guard_drop_in PUBLIC Q3G_PARALLEL_NONE)
  else()
    target_link_libraries(qwen3guard_drop_in PUBLIC Threads::Threads)
  endif()
  if(Q3G_PARALLEL STREQUAL "openmp")
    target_compile_definitions(qwen3guard_drop_in PUBLIC Q3G_PARALLEL_OPENMP)
    target_link_libraries(qwen3guard_drop_in PUBLIC OpenMP::OpenMP_CXX)
  endif()
  # In one unit a local name may be that of another file's constant; docs/drop_in.md promises -Wall and -Wextra.
  target_compile_options(qwen3guard_drop_in PRIVATE -Wno-shadow)
  add_dependencies(qwen3guard_drop_in qwen3guard_amalgamation)
  add_library(qwen3guard::qwen3guard ALIAS qwen3guard_drop_in)
endif()
