# Every shipped plugin exports its two symbols and no more.
get_property(shipped GLOBAL PROPERTY ATTNRT_SHIPPED_PLUGINS)
foreach(plugin IN ITEMS ${shipped} fixture_good)
  add_test(NAME load.exports_two_symbols.${plugin}
    COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DPLUGIN=$<TARGET_FILE:attnrt_plugin_${plugin}>
      -P ${CMAKE_CURRENT_SOURCE_DIR}/check_exports.cmake)
  set_tests_properties(load.exports_two_symbols.${plugin} PROPERTIES LABELS load TIMEOUT 60)
endforeach()
