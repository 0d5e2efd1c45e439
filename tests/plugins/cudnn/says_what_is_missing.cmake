# attnrt plugins, of a plugin whose libcudnn is not there: a reason, and no crash.
# -DATTNRT=… -DPLUGIN=… -DFOLDER=…
find_program(SED sed REQUIRED)
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
# No machine has that version; the name is as long, so the rest of the file stays where it is.
execute_process(COMMAND ${SED} "s/libcudnn\\.so\\.9/libcudnn.so.0/g" ${PLUGIN} OUTPUT_FILE ${FOLDER}/cudnn.so
  COMMAND_ERROR_IS_FATAL ANY)
foreach(option "" --open)
  execute_process(COMMAND ${ATTNRT} plugins ${option} --plugins ${FOLDER}
    OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE code)
  message("${out}${err}")
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "attnrt plugins ${option} ended with ${code}")
  endif()
  if(NOT "${out}${err}" MATCHES "libcudnn\\.so\\.0")
    message(FATAL_ERROR "expected libcudnn.so.0 to be named as missing")
  endif()
endforeach()
