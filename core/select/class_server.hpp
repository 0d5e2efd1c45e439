// Which kernels serve a class of layers, cell by cell (format, block size, layout).
//
// Everything else about the class's requests is given, so each kernel is read once, and only those
// that fail nothing else are asked about cells.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "select/joint.hpp"
#include "select/layer_classes.hpp"
#include "select/matcher.hpp"

namespace attnrt {

inline constexpr std::array<Op, kRequiredOps> kRequired{Op::kAppend, Op::kPrefill, Op::kDecode};

// What a plan leaves open about a class's cache.
struct CellChoice {
  std::vector<Format> formats;
  std::optional<int32_t> block_size;
  std::optional<Layout> layout;
};

// References must outlive it.
class ClassServer {
 public:
  ClassServer(const LayerClass& layer_class, const ModelGeometry& model, const Device& device,
              const PlanOptions& options, const Catalog& catalog);

  // Cells worth trying: preferred formats first, then block sizes nearest 16, then nhd. Block sizes
  // are those that kernels list; of long ranges the members up to 256, powers of two and the last.
  std::vector<Cell> cells(const CellChoice& choice) const;
  // True if append, prefill and decode are all served.
  bool serves(const Cell& cell) const;
  // The first such cell of a choice.
  std::optional<Cell> first_served(const CellChoice& choice) const;

  const Request& request(size_t op) const { return requests_[op]; }
  const Matcher& matcher(size_t op) const { return matchers_[op]; }
  // Rows that fail nothing but, perhaps, rules of the cell.
  const std::vector<const KernelRow*>& open_rows(size_t op) const { return open_[op]; }
  // The best of the kernels that serve the op there; null: none.
  const KernelRow* best(size_t op, const Cell& cell) const;

 private:
  std::vector<int32_t> block_sizes() const;

  std::array<Request, kRequiredOps> requests_;
  std::vector<Matcher> matchers_;
  std::array<std::vector<const KernelRow*>, kRequiredOps> open_;
};

// Every kernel of the catalog for one request.
std::vector<Candidate> all_candidates(const Matcher& matcher, const Cell& cell);

}  // namespace attnrt
