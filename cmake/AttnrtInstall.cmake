# The package that find_package(attnrt) reads: attnrt::attnrt, attnrt::plugin_api and
# attnrt_add_plugin. What libattnrt itself is built from (Boost, yaml-cpp, spdlog) is no part of it.
# Targets, headers and plugins are installed where they are defined.
include(CMakePackageConfigHelpers)

set(attnrt_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/attnrt)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/attnrtConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/cmake/attnrtConfig.cmake
  INSTALL_DESTINATION ${attnrt_package_folder})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/cmake/attnrtConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)

install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/cmake/attnrtConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/cmake/attnrtConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/AttnrtPlugin.cmake
  ${CMAKE_CURRENT_LIST_DIR}/plugin_exports.map
  ${CMAKE_CURRENT_LIST_DIR}/plugin_manifest.c.in
  DESTINATION ${attnrt_package_folder})
install(EXPORT attnrtTargets NAMESPACE attnrt:: DESTINATION ${attnrt_package_folder})

if(EXISTS ${PROJECT_SOURCE_DIR}/configs)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/attnrt)
endif()
