// Which query rows are compared with the oracle, and where their outputs are kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "run/tensor_source.hpp"

namespace attnrt::runtime {

class RowSample {
 public:
  // About `fraction` of every sequence's positions, the first and last always; 0: none.
  RowSample(std::span<const SequenceSpec> sequences, double fraction, uint64_t seed);

  struct Row {
    int32_t sequence = 0;
    int32_t position = 0;
  };
  const std::vector<Row>& rows() const { return rows_; }
  // Indices in rows() of a sequence's positions in [first, end).
  std::pair<size_t, size_t> range(int32_t sequence, int32_t first, int32_t end) const;

 private:
  std::vector<Row> rows_;  // by sequence, then position
};

}  // namespace attnrt::runtime
