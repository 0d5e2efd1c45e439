# attnrt_builtin_models(OUT folder): a source with every geometry of the folder, so that their names
# mean the same wherever the library is installed.
function(attnrt_builtin_models out folder)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.yaml)
  list(SORT files)
  set(entries "")
  foreach(file IN LISTS files)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    cmake_path(GET file STEM LAST_ONLY stem)
    file(READ ${file} text)
    string(APPEND entries "    BuiltinModel{\"${stem}\", R\"yaml(${text})yaml\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT [[
// Generated from configs/models/.
#include <array>

#include "config/builtin.hpp"

namespace attnrt::config {
namespace {
constexpr std::array kModels{
@entries@};
}  // namespace

std::span<const BuiltinModel> builtin_models() { return kModels; }

}  // namespace attnrt::config
]])
endfunction()
