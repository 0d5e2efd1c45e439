// A batch, checked, with its division of work.
//
// Holds pointers to the batch's arrays, which stay valid as long as the schedule (plugin.h).
#pragma once

#include <atomic>
#include <attnrt/plugin.hpp>
#include <memory>

#include "division.hpp"

namespace attnrt::cpu {

class BatchSchedule : public plugin::Schedule {
 public:
  BatchSchedule(const attnrt_batch& batch, const Layer& layer);

  [[nodiscard]] const Division& division() const { return division_; }
  [[nodiscard]] const BatchParams& batch() const { return batch_; }
  [[nodiscard]] int32_t tokens() const { return tokens_; }

  // What a unit waits for that is done; whoever brings it to the unit's number finishes the unit
  // and sets it to 0 again. By unit.
  [[nodiscard]] std::atomic<int32_t>& done(int32_t unit) const { return done_[unit]; }

 private:
  BatchParams batch_;
  int32_t tokens_;
  Division division_;
  std::unique_ptr<std::atomic<int32_t>[]> done_;
};

}  // namespace attnrt::cpu
