#include "run/measure.hpp"

#include <algorithm>
#include <cmath>

namespace attnrt::runtime {

void ErrorSum::add(const float* ours, const float* wanted, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const double difference = double{ours[i]} - double{wanted[i]};
    difference_ += difference * difference;
    wanted_ += double{wanted[i]} * double{wanted[i]};
    if (std::isnan(difference) || std::fabs(difference) > largest_) {
      largest_ = std::fabs(difference);  // once NaN, it stays NaN
    }
  }
  values_ += count;
}

void ErrorSum::add(const ErrorSum& other) {
  difference_ += other.difference_;
  wanted_ += other.wanted_;
  if (std::isnan(other.largest_) || other.largest_ > largest_) largest_ = other.largest_;
  values_ += other.values_;
}

ErrorMeasure ErrorSum::measure() const {
  const double relative = wanted_ > 0 ? std::sqrt(difference_ / wanted_) : std::sqrt(difference_);
  return {relative, largest_, values_};
}

Latency latency_of(std::vector<double> times_us) {
  Latency latency;
  latency.steps = static_cast<int64_t>(times_us.size());
  if (times_us.empty()) return latency;
  std::sort(times_us.begin(), times_us.end());
  const auto at = [&](double part) {
    const double rank = std::ceil(part * static_cast<double>(times_us.size()));
    return times_us[static_cast<size_t>(std::max(rank, 1.0)) - 1];
  };
  latency.p50_us = at(0.50);
  latency.p90_us = at(0.90);
  latency.p99_us = at(0.99);
  return latency;
}

}  // namespace attnrt::runtime
