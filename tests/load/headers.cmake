# Every public header compiles alone; the C header as C11 too, and with its layout as frozen.
file(GLOB_RECURSE public_headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/core/include
  ${PROJECT_SOURCE_DIR}/core/include/*.hpp ${PROJECT_SOURCE_DIR}/core/include/*.h)
set(alone_sources)
foreach(header IN LISTS public_headers)
  string(MAKE_C_IDENTIFIER ${header} stem)
  set(alone ${CMAKE_CURRENT_BINARY_DIR}/alone/${stem}.cpp)
  # Twice: its include guard is part of the test.
  file(CONFIGURE OUTPUT ${alone} CONTENT "#include <${header}>\n#include <${header}>\n")
  list(APPEND alone_sources ${alone})
endforeach()
add_library(attnrt_headers_alone OBJECT ${alone_sources} abi_layout_c.c abi_layout_cpp.cpp)
target_link_libraries(attnrt_headers_alone PRIVATE attnrt::attnrt)
target_compile_options(attnrt_headers_alone PRIVATE -pedantic)
attnrt_warnings(attnrt_headers_alone)
