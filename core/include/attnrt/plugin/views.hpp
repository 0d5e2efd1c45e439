// Typed views over the tensors, caches and scales that cross the ABI.
//
// Views own nothing and check once, where they are made: element type, rank, shape, contiguous last
// axis, memory present. Access is unchecked.
#ifndef ATTNRT_PLUGIN_VIEWS_HPP_
#define ATTNRT_PLUGIN_VIEWS_HPP_

#include <attnrt/plugin/error.hpp>
#include <cstddef>

namespace attnrt::plugin {

constexpr const char* dtype_name(int32_t dtype) {
  switch (dtype) {
    case ATTNRT_DTYPE_F64:
      return "f64";
    case ATTNRT_DTYPE_F32:
      return "f32";
    case ATTNRT_DTYPE_F16:
      return "f16";
    case ATTNRT_DTYPE_BF16:
      return "bf16";
    case ATTNRT_DTYPE_FP8_E4M3:
      return "fp8_e4m3";
    case ATTNRT_DTYPE_FP8_E5M2:
      return "fp8_e5m2";
    case ATTNRT_DTYPE_FP8_E4M3FNUZ:
      return "fp8_e4m3fnuz";
    default:
      return "unknown";
  }
}

// Bytes of an element; 0 where the type is unknown.
constexpr int32_t dtype_bytes(int32_t dtype) {
  switch (dtype) {
    case ATTNRT_DTYPE_F64:
      return 8;
    case ATTNRT_DTYPE_F32:
      return 4;
    case ATTNRT_DTYPE_F16:
    case ATTNRT_DTYPE_BF16:
      return 2;
    case ATTNRT_DTYPE_FP8_E4M3:
    case ATTNRT_DTYPE_FP8_E5M2:
    case ATTNRT_DTYPE_FP8_E4M3FNUZ:
      return 1;
    default:
      return 0;
  }
}

// Throws unless the tensor is of `dtype` and [tokens, heads, width], or [tokens, heads] for width
// 0.
inline void check_tensor(const attnrt_tensor& t, const char* name, int32_t dtype, int64_t tokens,
                         int64_t heads, int64_t width) {
  const int32_t rank = width == 0 ? 2 : 3;
  if (t.dtype != dtype) {
    fail(ATTNRT_INVALID_ARGUMENT, name, " is ", dtype_name(t.dtype), " (", t.dtype, "), expected ",
         dtype_name(dtype), ", as the op was prepared for");
  }
  require(t.rank == rank, name, " has rank ", t.rank, ", expected ", rank);
  require(t.shape[0] == tokens && t.shape[1] == heads && (rank == 2 || t.shape[2] == width), name,
          " has shape [", t.shape[0], ", ", t.shape[1], rank == 3 ? ", " : "",
          rank == 3 ? std::to_string(t.shape[2]) : std::string(), "], expected [", tokens, ", ",
          heads, rank == 3 ? ", " : "", rank == 3 ? std::to_string(width) : std::string(), "]");
  const int32_t last = rank - 1;
  require(t.shape[last] <= 1 || t.stride[last] == 1 || rank == 2, name, "'s last stride is ",
          t.stride[last], ", expected 1");
  require(t.data != nullptr || tokens == 0, name, ".data is null");
}

// A dense tensor [tokens, heads, width] whose element type is known at compile time.
template <class T>
class Rows {
 public:
  Rows(const attnrt_tensor& t, const char* name, int32_t dtype, int64_t tokens, int64_t heads,
       int64_t width)
      : data_(static_cast<T*>(t.data)), token_stride_(t.stride[0]), head_stride_(t.stride[1]) {
    check_tensor(t, name, dtype, tokens, heads, width);
  }
  // The row of (token, head); for rank 2 its one element.
  T* operator()(int64_t token, int64_t head) const {
    return data_ + token * token_stride_ + head * head_stride_;
  }

 private:
  T* data_;
  int64_t token_stride_;
  int64_t head_stride_;
};

// First byte of the row of (block, token in it, head) on one side of a cache.
inline std::byte* cache_row(const attnrt_cache_side& side, int64_t block, int64_t token,
                            int64_t head) {
  return static_cast<std::byte*>(side.data) + block * side.block_stride +
         token * side.token_stride + head * side.head_stride;
}

// First byte of that row's scales.
inline std::byte* cache_scales(const attnrt_cache_side& side, int64_t block, int64_t token,
                               int64_t head) {
  return static_cast<std::byte*>(side.scales) + block * side.scale_block_stride +
         token * side.scale_token_stride + head * side.scale_head_stride;
}

// The factor of a head; 1 where no scale was given.
inline float scale_of(const attnrt_scale& scale, int64_t head) {
  if (scale.data == nullptr || scale.count == 0) return 1.0F;
  return scale.data[scale.count == 1 ? 0 : head];
}

inline void check_scale(const attnrt_scale& scale, const char* name, int64_t heads) {
  require(scale.count == 0 || scale.count == 1 || scale.count == heads, name, ".count is ",
          scale.count, ", expected 0, 1 or the number of heads, ", heads);
  require(scale.count == 0 || scale.data != nullptr, name, ".data is null, its count is ",
          scale.count);
}

}  // namespace attnrt::plugin

#endif  // ATTNRT_PLUGIN_VIEWS_HPP_
