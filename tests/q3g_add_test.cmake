# q3g_add_test(name source...): one Catch2 executable, one ctest test. Tests see the library's private
# headers (src/), and Q3G_TEST_DIR, the path of tests/, for committed fixtures.
function(q3g_add_test name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE qwen3guard::qwen3guard q3g::catch2_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE Q3G_TEST_DIR="${PROJECT_SOURCE_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name})
endfunction()
