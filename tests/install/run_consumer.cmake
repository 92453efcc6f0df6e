# Configures, builds and runs consumer/ (C++) or c_consumer/ (C) in WORK_DIR, against an installation made there or against
# the source folder.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
set(consumer consumer)
set(options -DWAY=${WAY} -DCMAKE_BUILD_TYPE=${CONFIG} -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_C_COMPILER=${C_COMPILER}
            -DEMBED_MODELS=${EMBED_MODELS})
if(COMPILER_LAUNCHER)
  list(APPEND options -DCMAKE_CXX_COMPILER_LAUNCHER=${COMPILER_LAUNCHER} -DCMAKE_C_COMPILER_LAUNCHER=${COMPILER_LAUNCHER})
endif()
if(WAY MATCHES "^(find_package|c|c_static|pkg_config)$")
  run(${CMAKE_COMMAND} --install ${BUILD_DIR} --config ${CONFIG} --prefix ${WORK_DIR}/first)
  # Moved: nothing may remember where it was installed.
  file(RENAME ${WORK_DIR}/first ${WORK_DIR}/prefix)
  list(APPEND options -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix)
  if(NOT WAY STREQUAL "find_package")
    set(consumer c_consumer)
  endif()
elseif(WAY STREQUAL "fetch_content")
  list(APPEND options -DFETCHCONTENT_SOURCE_DIR_QWEN3GUARD=${SOURCE_DIR} -DQ3G_EMBED_MODELS=${EMBED_MODELS}
       -DQ3G_BUILD_CAPI=ON)
else()
  list(APPEND options -DQWEN3GUARD_SOURCE=${SOURCE_DIR} -DBUILD_SHARED_LIBS=${SHARED} -DQ3G_EMBED_MODELS=${EMBED_MODELS})
endif()
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/${consumer} -B ${WORK_DIR}/build -G ${GENERATOR} ${options})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build --config ${CONFIG} --parallel 2)
run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK_DIR}/build -C ${CONFIG} --output-on-failure --no-tests=error)
