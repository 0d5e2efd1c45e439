#include <algorithm>
#include <bit>
#include <limits>

#include "attnrt/select.hpp"
#include "select/words.hpp"

namespace attnrt {
namespace {

Error invalid(std::string expected, std::string found, std::string remedy) {
  return Error{.code = ErrorCode::kInvalid,
               .where = "request",
               .expected = std::move(expected),
               .found = std::move(found),
               .remedy = std::move(remedy)};
}

struct Size {
  const char* what;
  int32_t value;
};

}  // namespace

Status check(const Request& request) {
  const Size sizes[] = {{"query tokens", request.query_tokens},
                        {"query heads", request.q_heads},
                        {"KV heads", request.kv_heads},
                        {"the block size", request.block_size},
                        {"the alignment", request.alignment},
                        {"the head size of q and k", request.head_dim.qk},
                        {"the head size of v", request.head_dim.v}};
  for (const Size& size : sizes) {
    if (size.value >= 1) continue;
    return invalid(std::string("at least 1 for ") + size.what, std::to_string(size.value),
                   "write a positive number");
  }
  if (request.q_heads % request.kv_heads != 0) {
    return invalid("query heads that are a multiple of the KV heads",
                   std::to_string(request.q_heads) + " and " + std::to_string(request.kv_heads),
                   "e.g. 32 query heads with 8 KV heads");
  }
  if (request.cache == CacheKind::kLatent && request.head_dim.v > request.head_dim.qk) {
    return invalid("a latent cache whose v is a part of k",
                   "head sizes " + std::to_string(request.head_dim.qk) + " and " +
                       std::to_string(request.head_dim.v),
                   "give the head size as qk,v with v at most qk, e.g. 576,512");
  }
  if (!std::has_single_bit(static_cast<uint32_t>(request.alignment))) {
    return invalid("a power of two for the alignment", std::to_string(request.alignment),
                   "e.g. 16: bytes of which pointers and strides are multiples");
  }
  const uint64_t masks = request.features.bits() & kMasks.bits();
  if (std::popcount(masks) > 1) {
    return invalid("one mask", to_string(Features::from_bits(masks)), "keep one of them");
  }
  return Done{};
}

Request normalised(const Request& request) {
  Request r = request;
  Features kept = Features::from_bits(~uint64_t{0});
  if (r.op == Op::kAppend) {
    // Storing rows one by one is batch-invariant by nature, and knows no masks and no outputs.
    kept = {Feature::kPerHeadScales, Feature::kGraph, Feature::kDeviceLengths, Feature::kSparse};
    r.out.reset();
  } else if (r.op == Op::kMerge) {
    kept = {Feature::kLse,   Feature::kPerHeadScales, Feature::kBatchInvariant,
            Feature::kGraph, Feature::kDeviceLengths, Feature::kSparse};
    r.out = r.out.value_or(r.q);
    r.q = DType::kF32;
  } else if ((r.features.bits() & kMasks.bits()) == 0) {
    r.features.insert(Feature::kCausal);
  }
  r.features = Features::from_bits(r.features.bits() & kept.bits());
  return r;
}

bool format_exists(Format format, CacheKind cache, HeadDim head_dim) {
  const FormatInfo& f = info(format);
  if (!f.byte_layout_known) return true;  // its own definition decides
  const bool latent = cache == CacheKind::kLatent;
  if (f.latent_only) return latent && head_dim == f.fixed_head_dim;
  const bool k = head_dim.qk % f.head_dim_multiple == 0;
  return k && (latent || head_dim.v % f.head_dim_multiple == 0);
}

int32_t tensor_row_alignment(const Request& r) {
  if (r.tensors != Strides::kPacked) return std::numeric_limits<int32_t>::max();
  const int64_t element = element_bytes(r.q);
  int64_t rows = element * (r.op == Op::kMerge ? r.head_dim.v : r.head_dim.qk);
  if (r.op != Op::kAppend) {
    rows |= element_bytes(r.out.value_or(r.q)) * r.head_dim.v;
  } else if (r.cache == CacheKind::kSeparate) {
    rows |= element * r.head_dim.v;
  }
  return static_cast<int32_t>(std::min<int64_t>(rows & -rows, 1 << 30));
}

int64_t page_row_alignment(const Request& r) {
  if (r.op == Op::kMerge || r.pages != Strides::kPacked) return std::numeric_limits<int64_t>::max();
  return page_row_alignment({r.kv, r.cache, r.head_dim, r.kv_heads, r.block_size});
}

int64_t page_row_alignment(const PageGeometry& packed) {
  const Result<int64_t> bytes = row_alignment(packed);
  return bytes.ok() ? *bytes : std::numeric_limits<int64_t>::max();
}

std::string to_string(Features features) {
  std::string text;
  for (int i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<Feature>(i);
    if (!features.contains(feature)) continue;
    if (!text.empty()) text += ",";
    text += name(feature);
  }
  return text;
}

double kv_bytes_per_token(const Request& request) {
  const Result<int64_t> bytes = page_bytes(
      {request.kv, request.cache, request.head_dim, request.kv_heads, request.block_size});
  return bytes.ok() ? static_cast<double>(*bytes) / request.block_size : 0;
}

}  // namespace attnrt
