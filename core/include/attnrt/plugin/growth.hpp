// The growth rules of plugin.h for structs that begin with struct_size.
//
// Given<T> reads a struct of the caller's, whose version of the header may be older or newer than
// ours: fields that the caller does not know read as zero, and a field that we do not know must be
// zero, else ATTNRT_UNSUPPORTED. Function tables (attnrt_host) are the exception: a function that
// we do not know is one that we do not call.
#ifndef ATTNRT_PLUGIN_GROWTH_HPP_
#define ATTNRT_PLUGIN_GROWTH_HPP_

#include <algorithm>
#include <attnrt/plugin/error.hpp>

namespace attnrt::plugin {

enum class Unknown { kMustBeZero, kIgnored };

template <class T>
class Given {
 public:
  // `given` must outlive this object. Throws PluginError.
  Given(const T* given, const char* name, Unknown unknown = Unknown::kMustBeZero) {
    require(given != nullptr, name, " is null");
    const uint32_t size = given->struct_size;
    if (size == sizeof(T)) {  // the usual case costs nothing
      value_ = given;
      return;
    }
    require(size >= sizeof(uint32_t), name, ".struct_size is ", size, ", expected ", sizeof(T),
            ": set it to the sizeof of your header's struct");
    if (unknown == Unknown::kMustBeZero) check_rest(given, size, name);
    std::memcpy(static_cast<void*>(&copy_), given, std::min<size_t>(size, sizeof(T)));
    copy_.struct_size = sizeof(T);
    value_ = &copy_;
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_; }

 private:
  static void check_rest(const T* given, uint32_t size, const char* name) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(given);
    for (size_t i = sizeof(T); i < size; ++i) {
      if (bytes[i] != 0) {
        fail(ATTNRT_UNSUPPORTED, name, " has a field at byte ", i,
             " that this plugin does not know: it was built with a header of minor version ",
             ATTNRT_ABI_MINOR);
      }
    }
  }

  T copy_{};
  const T* value_;
};

// Writes an out struct: the caller's struct_size stays and says how much may be written.
template <class T>
void give(T* out, const T& value, const char* name) {
  require(out != nullptr, name, " is null");
  const uint32_t size = out->struct_size;
  require(size >= sizeof(uint32_t), name, ".struct_size is ", size, ", expected ", sizeof(T));
  const auto* bytes = reinterpret_cast<const unsigned char*>(&value);
  for (size_t i = size; i < sizeof(T); ++i) {
    if (bytes[i] != 0) {
      fail(ATTNRT_UNSUPPORTED, name, ".struct_size is ", size, ", too small for the field at byte ",
           i, " that this plugin has to set");
    }
  }
  std::memcpy(static_cast<void*>(out), &value, std::min<size_t>(size, sizeof(T)));
  out->struct_size = size;
}

}  // namespace attnrt::plugin

#endif  // ATTNRT_PLUGIN_GROWTH_HPP_
