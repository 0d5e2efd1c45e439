// A dense tensor of any element type with padded strides, filled and read as doubles.
//
// Owns its memory. Elements between rows hold a pattern that padding_untouched() looks for, so that
// a plugin that writes beyond a row is found. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "attnrt/plugin.h"

namespace attnrt::testing {

double read_element(int32_t dtype, const uint8_t* from);
// Rounded to float, then as kernels/codec rounds it to the type.
void write_element(int32_t dtype, uint8_t* to, double value);

struct TensorShape {
  int64_t tokens = 0;
  int64_t heads = 1;
  int64_t width = 0;  // 0: rank 2, [tokens, heads]
};

class DenseTensor {
 public:
  // `padding`: elements behind each row (rank 3) and behind each token.
  DenseTensor(int32_t dtype, TensorShape shape, int64_t padding = 0);

  attnrt_tensor view();
  double get(int64_t token, int64_t head, int64_t i = 0) const;
  void set(int64_t token, int64_t head, int64_t i, double value);

  // All elements in order; fill() takes as many as there are.
  std::vector<double> values() const;
  void fill(std::span<const double> values);
  void fill(double value);

  bool padding_untouched() const;
  const TensorShape& shape() const { return shape_; }
  int32_t dtype() const { return dtype_; }

 private:
  int64_t row_width() const { return shape_.width == 0 ? 1 : shape_.width; }
  size_t offset(int64_t token, int64_t head, int64_t i) const;

  int32_t dtype_;
  TensorShape shape_;
  int64_t token_stride_;
  int64_t head_stride_;
  std::vector<uint8_t> bytes_;
};

}  // namespace attnrt::testing
