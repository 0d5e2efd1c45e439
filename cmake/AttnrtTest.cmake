# attnrt_test(NAME SOURCES … [LIBRARIES …] [LABELS …] [ENVIRONMENT …]): one GoogleTest executable, each of its tests known
# to CTest. Tests see core's private headers and the source tree (ATTNRT_SOURCE_DIR), and the build
# tree (ATTNRT_BINARY_DIR). A test fails that runs longer than ten minutes.
include(GoogleTest)
function(attnrt_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES;LABELS;ENVIRONMENT")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE attnrt::attnrt GTest::gmock GTest::gtest_main ${arg_LIBRARIES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/core ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE
    ATTNRT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ATTNRT_BINARY_DIR="${CMAKE_BINARY_DIR}")
  # Libraries and plugins are compiled as ever; here a fifth of the compiler's time is worth more than the tests'. But
  # -O2 joins multiplications and additions where the machine can (AArch64), also in the codecs, which must not mind.
  if(NOT CMAKE_CROSSCOMPILING)
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O1>)
  endif()
  attnrt_warnings(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  # Only what is given: of an empty value CMake would make nothing, and take the next name for it.
  set(properties TIMEOUT 600)
  foreach(property LABELS ENVIRONMENT)
    if(arg_${property})
      list(APPEND properties ${property} "${arg_${property}}")
    endif()
  endforeach()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()
