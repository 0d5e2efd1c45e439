// The host's services, safe to call whether the host has them or not.
//
// A Host is a small value: copy it into your instance. Log may be called from any thread,
// parallel_for never from inside its own body.
#ifndef ATTNRT_PLUGIN_HOST_HPP_
#define ATTNRT_PLUGIN_HOST_HPP_

#include <attnrt/plugin/growth.hpp>
#include <type_traits>

namespace attnrt::plugin {

class Host {
 public:
  explicit Host(const attnrt_host* host) : host_(*Given(host, "host", Unknown::kIgnored)) {}

  void log(int32_t level, const std::string& text) const {
    if (host_.log != nullptr) host_.log(host_.ctx, level, text.c_str());
  }

  // Whether the host brings threads; if not, parallel_for runs on the caller's.
  [[nodiscard]] bool has_threads() const { return host_.parallel_for != nullptr; }

  // How many threads the host allows; 0: the plugin decides.
  [[nodiscard]] int32_t threads() const { return host_.threads; }

  // body(i) for every i in [0, n), possibly at once. The body must not throw: the host's threads
  // have no place to catch it.
  template <class Body>
  void parallel_for(int64_t n, Body&& body) const {
    using Fn = std::remove_reference_t<Body>;
    static_assert(std::is_nothrow_invocable_v<Fn&, int64_t>, "mark the body noexcept");
    if (host_.parallel_for == nullptr) {
      for (int64_t i = 0; i < n; ++i) body(i);
      return;
    }
    host_.parallel_for(
        host_.ctx, n, [](void* arg, int64_t i) { (*static_cast<Fn*>(arg))(i); },
        const_cast<std::remove_const_t<Fn>*>(&body));
  }

  [[nodiscard]] const attnrt_host& table() const { return host_; }

 private:
  attnrt_host host_;
};

}  // namespace attnrt::plugin

#endif  // ATTNRT_PLUGIN_HOST_HPP_
