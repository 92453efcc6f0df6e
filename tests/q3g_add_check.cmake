# q3g_add_check(name LABEL label [NEEDS program...] [SERIAL] [ENVIRONMENT name=value...] COMMAND command...): a test that
# is not one of Catch2's. Where a program of NEEDS is missing the test is there and skips, as it does when the command
# exits with 77. It runs in the project's top folder. SERIAL: it compiles, so nothing else runs beside it.
function(q3g_add_check name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "LABEL" "NEEDS;ENVIRONMENT;COMMAND")
  foreach(program IN LISTS arg_NEEDS)
    string(MAKE_C_IDENTIFIER "Q3G_FOUND_${program}" found)
    find_program(${found} ${program})
    mark_as_advanced(${found})
    if(NOT ${found})
      set(arg_COMMAND ${CMAKE_COMMAND} -E echo "q3g-skipped: no ${program}")
    endif()
  endforeach()
  add_test(NAME ${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(
    ${name}
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT 2400 SKIP_RETURN_CODE 77 SKIP_REGULAR_EXPRESSION "^q3g-skipped: no " RUN_SERIAL
               ${arg_SERIAL} ENVIRONMENT "${arg_ENVIRONMENT}")
endfunction()
