# q3g_add_test(name source...): one Catch2 executable; each of its test cases is a ctest test "<name>/<test case>"
# with the layer as label. Tests see the library's private headers (src/), and Q3G_TEST_DIR, the path of tests/, for
# committed fixtures. Q3G_SKIP of q3g_catch.hpp prints what SKIP_REGULAR_EXPRESSION looks for. Catch2 2 calls it a
# success when the name it is given selects nothing.
function(q3g_add_test name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE qwen3guard::qwen3guard q3g::catch2_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE Q3G_TEST_DIR="${PROJECT_SOURCE_DIR}/tests")
  if(NOT Q3G_WITH_RE2)
    target_compile_definitions(${name} PRIVATE Q3G_WITHOUT_RE2)
  endif()
  catch_discover_tests(
    ${name}
    TEST_PREFIX "${name}/"
    PROPERTIES LABELS "${q3g_test_labels}" TIMEOUT 600 SKIP_REGULAR_EXPRESSION "q3g-skipped:" FAIL_REGULAR_EXPRESSION
               "No test cases matched")
endfunction()
