// A batch, checked and copied, and its division into tiles of queries.
#pragma once

#include <attnrt/plugin.hpp>
#include <vector>

#include "layer.hpp"

namespace attnrt::reference {

inline constexpr int32_t kTileQueries = 16;

struct Sequence {
  int32_t first_token;  // of the batch
  int32_t q_len;
  int32_t kv_len;
  int32_t prefix_len;
  int64_t first_key;            // older ones are outside every query's window
  std::vector<int32_t> blocks;  // from the one that holds first_key on
  std::vector<uint8_t> tree;    // q_len rows of whole bytes
};

// Up to kTileQueries neighbouring queries of one sequence.
struct Tile {
  int32_t sequence;
  int32_t first_query;  // within the sequence
  int32_t queries;
};

class BatchSchedule : public plugin::Schedule {
 public:
  BatchSchedule(const attnrt_batch& batch, const Layer& layer);

  [[nodiscard]] const std::vector<Sequence>& sequences() const { return sequences_; }
  [[nodiscard]] const std::vector<Tile>& tiles() const { return tiles_; }
  [[nodiscard]] int32_t tokens() const { return tokens_; }

 private:
  void add_sequence(const attnrt_batch& batch, const Layer& layer, int32_t n);

  int32_t tokens_;
  std::vector<Sequence> sequences_;
  std::vector<Tile> tiles_;
};

}  // namespace attnrt::reference
