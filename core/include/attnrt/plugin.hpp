// Thin C++20 wrapper over plugin.h for authors of plugins; header only, compiled into the plugin.
//
// Derive from attnrt::plugin::Instance and Op (and Schedule), give a struct with a static open(),
// and name it once:
//
//   struct MyPlugin {
//     static std::unique_ptr<attnrt::plugin::Instance> open(const attnrt::plugin::Host& host,
//                                                           const attnrt_device& device);
//   };
//   ATTNRT_PLUGIN(MyPlugin)
//
// The wrapper fills the C table, obeys the growth rules (growth.hpp), refuses unknown enumeration
// values (known.hpp), turns whatever is thrown into a status with text (error.hpp), and offers
// checked views (views.hpp) and the contract of layers, batches and caches as checks (checks.hpp).
// Objects are owned by the wrapper between creation and release. Threads: as plugin.h says; the
// wrapper adds no locks and no state of its own.
#ifndef ATTNRT_PLUGIN_HPP_
#define ATTNRT_PLUGIN_HPP_

#include <attnrt/plugin.h>

#include <attnrt/plugin/checks.hpp>
#include <attnrt/plugin/classes.hpp>
#include <attnrt/plugin/error.hpp>
#include <attnrt/plugin/growth.hpp>
#include <attnrt/plugin/host.hpp>
#include <attnrt/plugin/known.hpp>
#include <attnrt/plugin/table.hpp>
#include <attnrt/plugin/views.hpp>

// Defines the plugin's entry point. Use once, in one source file, outside any namespace.
#define ATTNRT_PLUGIN(Type)                                                      \
  extern "C" ATTNRT_EXPORT attnrt_status attnrt_plugin_entry_v1(                 \
      const attnrt_host* host, const attnrt_plugin** out, attnrt_error* error) { \
    return ::attnrt::plugin::entry<Type>(host, out, error);                      \
  }                                                                              \
  static_assert(true, "lets a semicolon follow")

#endif  // ATTNRT_PLUGIN_HPP_
