// Calls of a layer's ops: whatever fails names the layer, the op and the plugin.
#pragma once

#include <string>
#include <utility>

#include "load/plugin_call.hpp"
#include "run/session_impl.hpp"

namespace attnrt::runtime {

// call(attnrt_error*) -> attnrt_status. With SessionOptions::blocking the device's own failure
// comes here, too. Only a failure pays for words.
template <class Call>
Status call_op(const Session::Impl& session, const PreparedOp& op, int32_t layer, void* stream,
               const char* function, Call&& call) {
  Status done = load::call_plugin("", function, std::forward<Call>(call));
  if (done && session.options.blocking) [[unlikely]]
    done = wait_for(session.device(), stream);
  if (done) [[likely]]
    return done;
  Error error = std::move(done.error());
  error.where = op_place(layer, op.layer_class.op, op.instance().name());
  return error;
}

}  // namespace attnrt::runtime
