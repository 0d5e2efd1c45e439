# cmake -DNM=nm -DPLUGIN=file -P check_exports.cmake
execute_process(COMMAND ${NM} -D --defined-only --format=posix ${PLUGIN}
  OUTPUT_VARIABLE listing RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${NM} -D ${PLUGIN} failed: ${failed}")
endif()
string(REGEX MATCHALL "[^\n]+" lines "${listing}")
set(names)
foreach(line IN LISTS lines)
  string(REGEX MATCH "^[^ ]+" name "${line}")
  list(APPEND names ${name})
endforeach()
list(SORT names)
if(NOT names STREQUAL "attnrt_plugin_entry_v1;attnrt_plugin_manifest")
  message(FATAL_ERROR "${PLUGIN}: expected two exported symbols, found: ${names}; "
    "build it with attnrt_add_plugin")
endif()
