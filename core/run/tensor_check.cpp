#include "run/tensor_check.hpp"

#include <string>

namespace attnrt::runtime {
namespace {

struct Wanted {
  const char* name;
  int32_t dtype;
  int32_t rank;
  int64_t shape[3];
};

std::string text(int32_t dtype, int32_t rank, const int64_t* shape) {
  std::string s = element_size(dtype) == 0 ? "dtype " + std::to_string(dtype)
                                           : std::string(name(static_cast<DType>(dtype)));
  s += " [";
  for (int32_t i = 0; i < rank; ++i) s += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return s + "]";
}

Error wrong(const LayerCode& code, const Wanted& w, std::string found) {
  return Error{ErrorCode::kInvalid, "layer " + std::to_string(code.index) + ", " + w.name,
               text(w.dtype, w.rank, w.shape) + " with a contiguous last axis", std::move(found),
               "pass the tensor that the plan and the batch call for"};
}

bool fits(const attnrt_tensor& t, const Wanted& w) {
  if (t.dtype != w.dtype || t.rank != w.rank) return false;
  for (int32_t i = 0; i < w.rank; ++i) {
    if (t.shape[i] != w.shape[i]) return false;
  }
  return t.stride[w.rank - 1] == 1 || w.shape[w.rank - 1] == 1;
}

bool is_packed(const attnrt_tensor& t) {
  const int64_t width = t.rank == 3 ? t.shape[2] : 1;
  return (t.shape[0] <= 1 || t.stride[0] == t.shape[1] * width) &&
         (t.shape[1] <= 1 || t.stride[1] == width);
}

// lse is f32 and written value by value: no kernel's alignment counts for it.
bool is_aligned(const attnrt_tensor& t, int32_t alignment) {
  const int64_t strides = t.rank == 3 ? (t.stride[0] | t.stride[1]) * element_size(t.dtype) : 0;
  const uint64_t data = t.rank == 3 ? reinterpret_cast<uintptr_t>(t.data) : 0;
  return ((data | static_cast<uint64_t>(strides)) & static_cast<uint64_t>(alignment - 1)) == 0;
}

// A tensor that fits otherwise.
Status check_place(const LayerCode& code, const attnrt_tensor& t, const char* name,
                   const RowRules& rules) {
  const bool packed = !rules.packed_tensors || is_packed(t);
  if (packed && is_aligned(t, rules.alignment)) [[likely]]
    return Done{};
  const std::string where = "layer " + std::to_string(code.index) + ", " + name;
  if (!packed) {
    return Error{ErrorCode::kInvalid, where, "packed rows, which the plan's kernel needs",
                 "strides of " + std::to_string(t.stride[0]) + " and " +
                     std::to_string(t.stride[1]) + " elements between tokens and heads",
                 "copy the rows together, or plan with tensors: strided for kernels that take "
                 "these"};
  }
  const int64_t bytes = element_size(t.dtype);
  const uint64_t beyond =
      reinterpret_cast<uintptr_t>(t.data) % static_cast<uint64_t>(rules.alignment);
  return Error{ErrorCode::kInvalid, where,
               "data and strides at multiples of " + std::to_string(rules.alignment) +
                   " bytes, which the plan's kernel needs",
               "data " + std::to_string(beyond) + " bytes behind one, strides of " +
                   std::to_string(t.stride[0] * bytes) + " and " +
                   std::to_string(t.stride[1] * bytes) + " bytes",
               "align the rows, or plan with their alignment for kernels that take it"};
}

Status check_tensor(const LayerCode& code, const attnrt_tensor& t, const Wanted& w,
                    const RowRules& rules) {
  if (t.data != nullptr && fits(t, w)) [[likely]]
    return check_place(code, t, w.name, rules);
  if (w.shape[0] == 0) return Done{};  // no row is touched
  if (t.data == nullptr) return wrong(code, w, "no data (null)");
  if (t.rank < 1 || t.rank > ATTNRT_MAX_RANK) {
    return wrong(code, w, "rank " + std::to_string(t.rank));
  }
  std::string found = text(t.dtype, t.rank, t.shape);
  if (t.stride[t.rank - 1] != 1) found += ", last stride " + std::to_string(t.stride[t.rank - 1]);
  return wrong(code, w, std::move(found));
}

Error missing(const LayerCode& code, const char* what, const char* remedy) {
  return Error{ErrorCode::kInvalid, "layer " + std::to_string(code.index), what, "none", remedy};
}

}  // namespace

Status check_append(const LayerCode& code, const attnrt_batch& batch, const attnrt_tensor& k,
                    const attnrt_tensor& v) {
  const int64_t tokens = batch.tokens;
  if (tokens > 0 && batch.slot_mapping.device == nullptr) {
    return missing(code, "a slot mapping in the batch, to append", "set attnrt_batch.slot_mapping");
  }
  Status k_fits =
      check_tensor(code, k, {"k", code.kv_dtype, 3, {tokens, code.kv_heads, code.head_dim.qk}},
                   code.append_rules);
  if (!k_fits) return k_fits;
  if (!code.latent) {
    return check_tensor(code, v, {"v", code.kv_dtype, 3, {tokens, code.kv_heads, code.head_dim.v}},
                        code.append_rules);
  }
  if (v.data == nullptr) return Done{};
  return Error{ErrorCode::kInvalid, "layer " + std::to_string(code.index) + ", v",
               "no v: the cache is latent", "a tensor", "pass {}; V is a part of K's rows"};
}

Status check_attend(const LayerCode& code, const attnrt_batch& batch, const attnrt_tensor& q,
                    const attnrt_tensor& out, const attnrt_tensor& lse) {
  const int64_t tokens = batch.tokens;
  Status q_fits = check_tensor(
      code, q, {"q", code.q_dtype, 3, {tokens, code.q_heads, code.head_dim.qk}}, code.attend_rules);
  if (!q_fits) return q_fits;
  Status out_fits =
      check_tensor(code, out, {"out", code.out_dtype, 3, {tokens, code.q_heads, code.head_dim.v}},
                   code.attend_rules);
  if (!out_fits) return out_fits;
  if (code.sinks && code.attend_args.sinks == nullptr) {
    return missing(code, "sinks, which the model has", "call Session::set_layer");
  }
  if (code.alibi && code.attend_args.alibi_slopes == nullptr) {
    return missing(code, "ALiBi slopes, which the model has", "call Session::set_layer");
  }
  if (lse.data == nullptr) return Done{};
  if (!code.lse) {
    return missing(code, "a plan with the feature lse, to return lse",
                   "add lse to PlanOptions.features");
  }
  return check_tensor(code, lse, {"lse", ATTNRT_DTYPE_F32, 2, {tokens, code.q_heads, 0}},
                      code.attend_rules);
}

Status check_rows(const char* name, const LayerCode& code, const attnrt_tensor& tensor,
                  int32_t dtype, int64_t tokens, bool per_value) {
  return check_tensor(code, tensor,
                      {name, dtype, per_value ? 3 : 2, {tokens, code.q_heads, code.head_dim.v}},
                      code.merge_rules);
}

}  // namespace attnrt::runtime
