# attnrt_add_plugin(NAME MANIFEST file.yaml SOURCES a.cpp … [LIBRARIES …] [OUTPUT_DIRECTORY dir] [NO_INSTALL])
#
# Builds a shared object with the manifest in its own read-only section, with two exported symbols
# and no undefined ones. The target is attnrt_plugin_NAME, the file NAME.so. Within attnrt it goes to
# <build>/plugins and is installed; elsewhere (find_package(attnrt)) it stays in the binary folder.

set(ATTNRT_PLUGIN_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

function(attnrt_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_INSTALL" "MANIFEST;OUTPUT_DIRECTORY" "SOURCES;LIBRARIES")
  if(NOT arg_MANIFEST OR NOT arg_SOURCES)
    message(FATAL_ERROR "attnrt_add_plugin(${name}): MANIFEST and SOURCES are required")
  endif()
  cmake_path(ABSOLUTE_PATH arg_MANIFEST BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE manifest)
  set(target attnrt_plugin_${name})
  set(ATTNRT_MANIFEST_FILE ${manifest})
  # Valid C and C++, for projects that enable only one of them.
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(suffix cpp)
  if("C" IN_LIST languages)
    set(suffix c)
  endif()
  set(embedded ${CMAKE_CURRENT_BINARY_DIR}/${target}_manifest.${suffix})
  configure_file(${ATTNRT_PLUGIN_CMAKE_DIR}/plugin_manifest.c.in ${embedded} @ONLY)
  # Link-time optimisation may lose symbols of top-level assembly.
  set_source_files_properties(${embedded} PROPERTIES
    OBJECT_DEPENDS ${manifest} COMPILE_OPTIONS -fno-lto)

  add_library(${target} MODULE ${arg_SOURCES} ${embedded})
  target_link_libraries(${target} PRIVATE attnrt::plugin_api ${arg_LIBRARIES})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} INSTALL_RPATH ""
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${ATTNRT_PLUGIN_CMAKE_DIR}/plugin_exports.map)
  target_link_options(${target} PRIVATE
    LINKER:--version-script=${ATTNRT_PLUGIN_CMAKE_DIR}/plugin_exports.map
    LINKER:-z,now LINKER:--exclude-libs,ALL)
  if(NOT ATTNRT_SANITIZE)
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()

  if(arg_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${arg_OUTPUT_DIRECTORY})
  elseif(PROJECT_NAME STREQUAL "attnrt")
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
    set_property(GLOBAL APPEND PROPERTY ATTNRT_SHIPPED_PLUGINS ${name})
    if(NOT arg_NO_INSTALL)
      install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/attnrt/plugins)
    endif()
  endif()
endfunction()
