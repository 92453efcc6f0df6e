# LIBRARY, stripped by STRIP to STRIPPED, has less than LIMIT bytes.
execute_process(COMMAND ${STRIP} -o ${STRIPPED} ${LIBRARY} COMMAND_ERROR_IS_FATAL ANY)
file(SIZE ${STRIPPED} bytes)
if(bytes GREATER_EQUAL LIMIT)
  message(FATAL_ERROR "${STRIPPED} has ${bytes} bytes; expected less than ${LIMIT}")
endif()
message(STATUS "${STRIPPED}: ${bytes} bytes")
