#include "load/library_path.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <memory>

namespace attnrt::load {
namespace {

std::string find_library_file() {
  Dl_info info;
  if (::dladdr(reinterpret_cast<const void*>(&library_file), &info) == 0) return {};
  if (info.dli_fname == nullptr) return {};
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(info.dli_fname, nullptr),
                                                         &std::free);
  return real ? std::string(real.get()) : std::string();
}

}  // namespace

const std::string& library_file() {
  static const std::string file = find_library_file();
  return file;
}

}  // namespace attnrt::load
