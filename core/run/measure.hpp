// Sums of errors and percentiles of times.
#pragma once

#include <cstdint>
#include <vector>

#include "attnrt/run.hpp"

namespace attnrt::runtime {

class ErrorSum {
 public:
  // NaN in `ours` makes the measure NaN: it is never a small error.
  void add(const float* ours, const float* wanted, int64_t count);
  void add(const ErrorSum& other);
  ErrorMeasure measure() const;
  bool empty() const { return values_ == 0; }

 private:
  double difference_ = 0;  // sum of squares
  double wanted_ = 0;
  double largest_ = 0;
  int64_t values_ = 0;
};

// Percentiles as the smallest time that so many of 100 steps do not exceed.
Latency latency_of(std::vector<double> times_us);

}  // namespace attnrt::runtime
