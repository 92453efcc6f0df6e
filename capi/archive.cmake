# libqwen3guard_c.a: one archive with the C interface as its only symbols. Its own code and the bundled libraries are
# linked to one object, whose other symbols are then made local, so that a program's own Eigen, RE2 or OpenMP, of
# whatever version, is never mixed with them. --force-group-allocation: a local copy of an inline function must not be
# replaced by somebody else's.
set(q3g_c_archive ${CMAKE_CURRENT_BINARY_DIR}/${CMAKE_STATIC_LIBRARY_PREFIX}qwen3guard_c${CMAKE_STATIC_LIBRARY_SUFFIX})
set(q3g_c_archive ${q3g_c_archive} PARENT_SCOPE)
file(STRINGS exports.map q3g_c_exports REGEX "^ +q3g_[a-z_]+;$")
list(TRANSFORM q3g_c_exports REPLACE "[ ;]" "")
list(JOIN q3g_c_exports "\n" q3g_c_exports)
file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/exports.txt CONTENT "${q3g_c_exports}\n")
get_property(q3g_bundled GLOBAL PROPERTY Q3G_BUNDLED_TARGETS)
list(TRANSFORM q3g_bundled REPLACE "^(.+)$" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE q3g_bundled_files)
add_custom_command(
  OUTPUT ${q3g_c_archive}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${q3g_c_archive}
  COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o qwen3guard_c_all.o $<TARGET_OBJECTS:qwen3guard_c> --start-group
          $<TARGET_FILE:qwen3guard> ${q3g_bundled_files} --end-group
  COMMAND ${CMAKE_OBJCOPY} --keep-global-symbols=exports.txt qwen3guard_c_all.o
  COMMAND ${CMAKE_AR} rcs ${q3g_c_archive} qwen3guard_c_all.o
  DEPENDS qwen3guard_c qwen3guard ${q3g_bundled} ${CMAKE_CURRENT_BINARY_DIR}/exports.txt
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(qwen3guard_c_archive ALL DEPENDS ${q3g_c_archive})
