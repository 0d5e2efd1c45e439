// From a kernel's manifest to the cells that must run, and to its unlisted neighbours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cell.hpp"

namespace attnrt::conformance {

struct CellList {
  std::vector<Cell> cells;
  int64_t pairs = 0;
  int64_t impossible_pairs = 0;  // pairs that no request can have, e.g. nvfp4 with head_dim 8
};

// kCrossed: beside pairs, every format with every head size and every feature by itself.
enum class Coverage : uint8_t { kPairs, kCrossed };

// Cells that together hold every listed value and every pair of values of the kernel's box, for one
// of its ops. multiple_of lists are sampled: both ends, the powers of two, one odd multiple.
CellList cells_of(const KernelManifest& kernel, Op op, Coverage coverage = Coverage::kPairs);

// Calls that no plan makes, since the kernel does not list where their rows stand: strided tensors
// or pages, tensors or pages between two multiples of its alignment. A plugin must refuse them.
std::vector<Cell> unlisted_rows(const KernelManifest& kernel, Op op);

// A request just outside the box: one axis has a value that no kernel of the manifest lists for it,
// all others come from the kernel. `rule` must be among the reasons of this kernel.
struct Neighbour {
  Request request;
  Rule rule;
  std::string what;
};
std::vector<Neighbour> neighbours_of(const KernelManifest& kernel, Op op, const Device& device);

// The sampled values of a set of integers.
std::vector<int32_t> sample(const IntSet& set);
std::vector<HeadDim> sample(const HeadDimSet& set);

}  // namespace attnrt::conformance
