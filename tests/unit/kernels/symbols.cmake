# Fails unless the table of functions is the only symbol that the object file shares, and it takes none from elsewhere (libm's fma among them).
execute_process(COMMAND ${NM} --extern-only --format=posix ${OBJECT} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "\n$" "" symbols "${symbols}")
if(NOT symbols MATCHES "^[^\n ]*${TABLE}[^\n ]* D [^\n]*$")
  message(FATAL_ERROR "expected ${TABLE} alone, found:\n${symbols}")
endif()
