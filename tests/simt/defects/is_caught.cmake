# Runs the conformance suite on a plugin with a planted defect, on the device of sm_${SM}: it must fail, by its cells.
execute_process(
  COMMAND ${SUITE} --plugins ${PLUGINS} --plugin cuda_simt --device simt:sm_${SM} --gtest_filter=*.${KERNEL}_decode:*.${KERNEL}_prefill
  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
if(NOT result EQUAL 1 OR NOT output MATCHES "cells failed")
  message(FATAL_ERROR "the defect was not caught (result ${result}):\n${output}")
endif()
string(REGEX MATCHALL "[0-9]+ of [0-9]+ cells failed" failed "${output}")
message(STATUS "caught: ${failed}")
