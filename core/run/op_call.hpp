// Calls of a layer's ops: whatever fails names the layer, the op and the plugin.
#pragma once

#include <string>
#include <utility>

#include "load/plugin_call.hpp"
#include "run/session_impl.hpp"

namespace attnrt::runtime {

inline constexpr const char* kBlockingRemedy =
    "open the session with options.blocking to learn which layer and plugin failed";

// A device may answer a call with the failure of work that was begun before it.
inline void allow_for_earlier_work(Error& error) {
  error.found += "; it may be of work on the device that was begun before, by any plugin";
  error.remedy = kBlockingRemedy;
}

// call(attnrt_error*) -> attnrt_status. With SessionOptions::blocking the device's own failure
// comes here, too, and only that of this call. Only a failure pays for words.
template <class Call>
Status call_op(const Session::Impl& session, const PreparedOp& op, int32_t layer, void* stream,
               const char* function, Call&& call) {
  attnrt_status status = ATTNRT_OK;
  Status done = load::call_plugin(
      "", function, [&](attnrt_error* error) { return status = std::forward<Call>(call)(error); });
  const bool blocking = session.options.blocking;
  if (done && blocking) [[unlikely]]
    done = wait_for(session.device(), stream);
  if (done) [[likely]]
    return done;
  Error error = std::move(done.error());
  error.where = op_place(layer, op.layer_class.op, op.instance().name());
  const bool on_device = session.device().service != nullptr;
  if (status == ATTNRT_DEVICE_ERROR && on_device && !blocking) allow_for_earlier_work(error);
  return error;
}

}  // namespace attnrt::runtime
