#include "cell.hpp"

#include <algorithm>
#include <sstream>

namespace attnrt::conformance {
namespace {

std::string_view name(BatchShape shape) {
  switch (shape) {
    case BatchShape::kSingleToken:
      return "single_token";
    case BatchShape::kBlockEdges:
      return "block_edges";
    case BatchShape::kRagged:
      return "ragged";
    case BatchShape::kEmpty:
      return "empty";
    case BatchShape::kLongContext:
      return "long_context";
    case BatchShape::kSharedPrefix:
      return "shared_prefix";
  }
  return "?";
}

std::string_view name(PageShape shape) {
  switch (shape) {
    case PageShape::kTight:
      return "tight";
    case PageShape::kPadded:
      return "padded";
    case PageShape::kTwoTensors:
      return "two_tensors";
  }
  return "?";
}

std::string_view name(Fill fill) {
  switch (fill) {
    case Fill::kNormal:
      return "normal";
    case Fill::kOutliers:
      return "outliers";
    case Fill::kSpecial:
      return "special";
    case Fill::kStrided:
      return "strided";
  }
  return "?";
}

}  // namespace

int64_t padding_of(const Cell& cell, DType dtype) {
  if (cell.fill != Fill::kStrided) return 0;
  return std::max<int64_t>(8, cell.alignment / element_bytes(dtype));
}

std::string to_string(const Cell& c) {
  std::ostringstream text;
  text << c.kernel << ": op " << attnrt::name(c.op) << ", q " << attnrt::name(c.q) << ", out "
       << attnrt::name(c.out) << ", kv " << attnrt::name(c.kv) << ", cache "
       << attnrt::name(c.cache) << ", head_dim " << c.head_dim.qk << "," << c.head_dim.v
       << ", block " << c.block_size << ", layout " << attnrt::name(c.layout) << ", group "
       << c.group << ", kv_heads " << c.kv_heads << ", query_tokens " << c.query_tokens
       << ", features";
  for (int f = 0; f < kFeatureCount; ++f)
    if (c.features.contains(static_cast<Feature>(f)))
      text << " " << attnrt::name(static_cast<Feature>(f));
  if (c.tensor_shift != 0) text << "; tensors behind by " << c.tensor_shift << " bytes";
  if (c.page_shift != 0) text << "; pages behind by " << c.page_shift << " bytes";
  text << "; batch " << name(c.batch) << ", pages " << name(c.pages) << ", fill " << name(c.fill)
       << ", seed " << c.seed;
  return text.str();
}

Request to_request(const Cell& c, const Device& device) {
  Request r;
  r.device = device;
  r.op = c.op;
  r.query_tokens = c.op == Op::kDecode ? c.query_tokens : 1;
  r.q = c.q;
  if (c.op != Op::kAppend) r.out = c.out;
  r.kv = c.kv;
  r.cache = c.cache;
  r.head_dim = c.head_dim;
  r.kv_heads = c.kv_heads;
  r.q_heads = c.kv_heads * c.group;
  r.block_size = c.block_size;
  r.layout = c.layout;
  r.features = c.features;
  r.tensors = c.fill == Fill::kStrided ? Strides::kStrided : Strides::kPacked;
  r.pages = c.pages == PageShape::kPadded ? Strides::kStrided : Strides::kPacked;
  r.alignment = c.alignment;
  return r;
}

}  // namespace attnrt::conformance
