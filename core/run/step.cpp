// The hot path: append and attend. An index into a flat table, a few comparisons, the plugin's
// call.
#include <array>
#include <string>
#include <utility>

#include "run/op_call.hpp"
#include "run/tensor_check.hpp"

namespace attnrt {

using runtime::call_op;
using runtime::LayerCode;
using runtime::PreparedOp;

namespace {

Error no_such_layer(int32_t layer, size_t layers) {
  return Error{ErrorCode::kInvalid, "layer " + std::to_string(layer),
               "0 … " + std::to_string(static_cast<int64_t>(layers) - 1), std::to_string(layer),
               "layers are numbered as in the plan"};
}

void shift_rows(attnrt_tensor& tensor, int64_t first, int64_t rows) {
  tensor.shape[0] = rows;
  if (tensor.data == nullptr || first == 0) return;
  tensor.data = static_cast<uint8_t*>(tensor.data) +
                first * tensor.stride[0] * runtime::element_size(tensor.dtype);
}

}  // namespace

Step::Step(Step&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}

Step& Step::operator=(Step&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

Step::~Step() {
  if (state_ == nullptr) return;
  state_->release();
  state_->session.idle.emplace_back(state_);
}

Status Step::append(int32_t layer, const TensorView& k, const TensorView& v) {
  Session::Impl& s = state_->session;
  if (static_cast<size_t>(layer) >= s.layers.size()) return no_such_layer(layer, s.layers.size());
  LayerCode& code = s.layers[static_cast<size_t>(layer)];
  const attnrt_batch& batch = state_->batches[code.group];
  if (s.options.checked == Checked::kOn) {
    if (Status ok = runtime::check_append(code, batch, k, v); !ok) [[unlikely]]
      return ok;
  }
  if (batch.tokens == 0) return Done{};
  attnrt_append_args& args = code.append_args;
  args.tokens = batch.tokens;
  args.k = k;
  args.v = v;
  args.slot_mapping = batch.slot_mapping;
  args.stream = state_->stream;
  const PreparedOp& op = *code.append;
  return call_op(s, op, code.index, args.stream, "append",
                 [&](attnrt_error* error) { return op.append(op.handle, &args, error); });
}

Status Step::attend(int32_t layer, const TensorView& q, const TensorView& out,
                    const TensorView& lse) {
  Session::Impl& s = state_->session;
  if (static_cast<size_t>(layer) >= s.layers.size()) return no_such_layer(layer, s.layers.size());
  LayerCode& code = s.layers[static_cast<size_t>(layer)];
  if (s.options.checked == Checked::kOn) {
    if (Status ok = runtime::check_attend(code, state_->batches[code.group], q, out, lse); !ok)
        [[unlikely]] {
      return ok;
    }
  }
  attnrt_attend_args& args = code.attend_args;
  args.stream = state_->stream;
  for (const State::Part& part : state_->parts[code.lane]) {
    args.q = q;
    args.out = out;
    args.lse = lse;
    shift_rows(args.q, part.first_token, part.tokens);
    shift_rows(args.out, part.first_token, part.tokens);
    shift_rows(args.lse, part.first_token, part.tokens);
    const PreparedOp& op = *part.op;
    Status done = call_op(s, op, code.index, args.stream, "attend", [&](attnrt_error* error) {
      return op.attend(op.handle, part.schedule, &args, error);
    });
    if (!done) [[unlikely]]
      return done;
  }
  return Done{};
}

int32_t Step::parts(int32_t layer) const {
  const Session::Impl& s = state_->session;
  if (static_cast<size_t>(layer) >= s.layers.size()) return 0;
  const LayerCode& code = s.layers[static_cast<size_t>(layer)];
  return static_cast<int32_t>(state_->parts[code.lane].size());
}

}  // namespace attnrt
