// In the kernels' place: what kernels.hpp, hopper.hpp and xqa.hpp say that they do, on the host and
// in double precision, from nothing but the parameters. Each reads and writes where FlashInfer's
// would: parts of divided contexts stand where FlashInfer puts them, and are rounded as there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e5m2.h"
#include "plugins/flashinfer/hopper.hpp"
#include "plugins/flashinfer/xqa.hpp"

namespace attnrt::flashinfer {
namespace {

double load(const void* data, int64_t i, Stored s) {
  switch (s) {
    case Stored::kBf16:
      return codec::Bf16::decode(static_cast<const uint16_t*>(data)[i]);
    case Stored::kF16:
      return codec::F16::decode(static_cast<const uint16_t*>(data)[i]);
    case Stored::kE4m3:
      return codec::Fp8E4M3::decode(static_cast<const uint8_t*>(data)[i]);
    case Stored::kE5m2:
      return codec::Fp8E5M2::decode(static_cast<const uint8_t*>(data)[i]);
  }
  return NAN;
}

Stored stored_of(Half half) {
  return half == Half::kBf16 ? Stored::kBf16 : Stored::kF16;
}

void store(void* data, int64_t i, Half half, double x) {
  const auto f = static_cast<float>(x);
  static_cast<uint16_t*>(data)[i] =
      static_cast<uint16_t>(half == Half::kBf16 ? codec::Bf16::encode(f) : codec::F16::encode(f));
}

// Keys and values of one head, found through its request's pages.
struct Cache {
  PageView k;
  PageView v;
  const int32_t* pages;
  int32_t block_size;
  int64_t head;
  Stored stored;

  [[nodiscard]] double key(int64_t t, int i) const { return at(k, t, i); }
  [[nodiscard]] double value(int64_t t, int i) const { return at(v, t, i); }

 private:
  [[nodiscard]] double at(const PageView& side, int64_t t, int i) const {
    const int64_t row = pages[t / block_size] * side.block_stride +
                        t % block_size * side.token_stride + head * side.head_stride;
    return load(side.data, row + i, stored);
  }
};

struct Row {
  std::vector<double> out;
  double lse;  // base 2
};

// One query over the keys [first, last); transform: of a product, in units of the natural
// logarithm.
template <class Query, class Transform>
Row attend_row(int dim, int64_t first, int64_t last, const Cache& cache, Query query,
               Transform transform) {
  Row row{std::vector<double>(static_cast<size_t>(dim)), -HUGE_VAL};
  double sum = 0;
  for (int64_t t = first; t < last; ++t) {
    double product = 0;
    for (int i = 0; i < dim; ++i) product += query(i) * cache.key(t, i);
    const double weight = std::exp(transform(product));
    sum += weight;
    for (int i = 0; i < dim; ++i) row.out[static_cast<size_t>(i)] += weight * cache.value(t, i);
  }
  if (sum == 0) return row;
  for (double& x : row.out) x /= sum;
  row.lse = std::log2(sum);
  return row;
}

template <class T = int32_t>
const T* at(const void* base, int64_t offset) {
  return reinterpret_cast<const T*>(static_cast<const uint8_t*>(base) + offset);
}

// A block's work: rows of a request's tile over a part of its keys.
void run_block(const AttendKernel& k, const AttendParams& p, int64_t block, int32_t kv_head) {
  const Plan& plan = p.plan;
  if (plan.graph && !at<bool>(p.ints, plan.block_used)[block]) return;
  const int32_t request = at(p.ints, plan.request_indices)[block];
  const int64_t q_tile = at(p.ints, plan.q_tiles)[block];
  const int64_t part = at(p.ints, plan.kv_tiles)[block];
  const int64_t chunk = *at(p.ints, plan.chunk_keys);
  const int64_t group = p.q_heads / p.kv_heads;
  const int32_t q_begin = p.requests.q_begin[request];
  const int64_t q_len = p.requests.q_begin[request + 1] - q_begin;
  const int64_t pages = p.requests.page_begin[request + 1] - p.requests.page_begin[request];
  const int64_t kv_len =
      pages == 0 ? 0 : (pages - 1) * p.block_size + p.requests.last_page_len[request];
  const int64_t before = p.window > 0 ? p.window - 1 : kv_len;
  const int64_t start =
      std::max<int64_t>(0, kv_len + q_tile * plan.tile_rows / group - q_len - before);
  const int64_t first = plan.split ? std::min(start + part * chunk, kv_len) : start;
  const int64_t last = plan.split ? std::min(start + (part + 1) * chunk, kv_len) : kv_len;
  const int64_t reach = std::min(std::max<int64_t>(kv_len, 1), before + plan.tile_rows);
  const int64_t parts = plan.split ? (reach + chunk - 1) / chunk : 1;
  const int32_t* row_begin = plan.split ? at(p.ints, plan.request_parts) : p.requests.q_begin;
  const Cache cache{p.k,          p.v,     p.requests.indices + p.requests.page_begin[request],
                    p.block_size, kv_head, k.stored};
  const double k_factor = p.k_scale == nullptr ? 1 : *p.k_scale;
  const double v_factor = p.v_scale == nullptr ? 1 : *p.v_scale;
  const auto transform = [&](double x) {
    const double score = x * p.softmax_scale * k_factor;
    return p.softcap > 0 ? p.softcap * std::tanh(score / p.softcap) : score;
  };
  const int64_t rows = std::min((q_tile + 1) * plan.tile_rows, q_len * group);
  for (int64_t r = q_tile * plan.tile_rows; r < rows; ++r) {
    const int64_t query = r / group;
    const int64_t head = kv_head * group + r % group;
    const int64_t position = kv_len - q_len + query;
    const int64_t q = (q_begin + query) * p.q_token_stride + head * p.q_head_stride;
    const Row row = attend_row(
        k.head_dim, std::max(first, position - before), std::min(last, position + 1), cache,
        [&](int i) { return load(p.q, q + i, stored_of(k.half)); }, transform);
    const int64_t to = (row_begin[request] + query * parts + part) * p.q_heads + head;
    for (int i = 0; i < k.head_dim; ++i) {
      store(p.out, to * k.head_dim + i, k.half, row.out[static_cast<size_t>(i)] * v_factor);
    }
    p.lse[to] = static_cast<float>(row.lse);
  }
}

void run_work(const AttendKernel& k, const HopperParams& p, int32_t work) {
  const auto number = [&](int64_t offset) { return at(p.ints, offset)[work]; };
  const int64_t q_len = number(p.plan.q_len);
  const int64_t kv_len = number(p.plan.kv_len);
  const int64_t head = number(p.plan.heads);
  const int64_t tile = int64_t{number(p.plan.q_tiles)} * kHopperTileRows;
  const Cache cache{p.k,
                    p.v,
                    p.indices + number(p.plan.page_begin),
                    p.block_size,
                    head / (p.q_heads / p.kv_heads),
                    k.stored};
  for (int64_t r = tile; r < std::min(tile + kHopperTileRows, q_len); ++r) {
    const int64_t token = number(p.plan.q_begin) + r;
    ASSERT_LT(token, p.tokens);
    const int64_t q = token * p.q_token_stride + head * p.q_head_stride;
    const Row row = attend_row(
        k.head_dim, 0, std::max<int64_t>(0, kv_len - q_len + r + 1), cache,
        [&](int i) { return load(p.q, q + i, stored_of(k.half)); },
        [&](double x) { return x * p.softmax_scale; });
    const int64_t to = token * p.out_token_stride + head * p.out_head_stride;
    for (int i = 0; i < k.head_dim; ++i) store(p.out, to + i, k.half, row.out[size_t(i)]);
    if (p.lse != nullptr) p.lse[token * p.q_heads + head] = static_cast<float>(row.lse);
  }
}

}  // namespace

const char* prepare_attend(const AttendKernel&, int32_t) {
  return nullptr;
}

const char* launch_attend(const AttendKernel& k, int32_t, const AttendParams& p, void*) {
  for (int64_t block = 0; block < p.plan.blocks; ++block) {
    for (int32_t head = 0; head < p.kv_heads; ++head) run_block(k, p, block, head);
  }
  return nullptr;
}

const char* prepare_finish(Half) {
  return nullptr;
}

const char* launch_finish(Half half, const FinishParams& p, void*) {
  const int64_t tokens = p.used == nullptr ? p.tokens : std::min<int64_t>(p.tokens, *p.used);
  for (int64_t token = 0; token < tokens; ++token) {
    for (int64_t head = 0; head < p.heads; ++head) {
      const int64_t first = p.part_begin == nullptr ? token : p.part_begin[token];
      const int64_t last = p.part_begin == nullptr ? token + 1 : p.part_begin[token + 1];
      double sum = 0;
      std::vector<double> out(static_cast<size_t>(p.head_dim));
      for (int64_t i = first; i < last; ++i) {
        const double weight = std::exp2(double(p.part_lse[i * p.heads + head]));
        sum += weight;
        for (int d = 0; p.part_out != nullptr && weight > 0 && d < p.head_dim; ++d) {
          out[size_t(d)] +=
              weight * load(p.part_out, (i * p.heads + head) * p.head_dim + d, stored_of(half));
        }
      }
      for (int d = 0; p.part_out != nullptr && d < p.head_dim; ++d) {
        store(p.out, token * p.out_token_stride + head * p.out_head_stride + d, half,
              sum > 0 ? out[size_t(d)] / sum : 0);
      }
      if (p.lse == nullptr) continue;
      p.lse[token * p.lse_token_stride + head * p.lse_head_stride] =
          static_cast<float>(std::log(sum));
    }
  }
  return nullptr;
}

bool has_hopper(const AttendKernel&) {
  return true;
}
const char* prepare_hopper(const AttendKernel&) {
  return nullptr;
}

const char* launch_hopper(const AttendKernel& k, const HopperParams& p, void*) {
  const int32_t* begin = at(p.ints, p.plan.work_begin);
  for (int32_t m = 0; m < p.multiprocessors; ++m) {
    for (int32_t work = begin[m]; work < begin[m + 1]; ++work) run_work(k, p, work);
  }
  return nullptr;
}

const char* prepare_xqa(const XqaKernel&, uint32_t& shared) {
  shared = 1;
  return nullptr;
}

const char* launch_xqa(const XqaKernel& k, uint32_t, const XqaParams& p, void*) {
  const int64_t q_heads = int64_t{p.kv_heads} * k.group;
  const int64_t parts = int64_t{p.splits} * p.kv_heads * p.requests.count;
  if (p.splits > 1) std::memset(p.parts, 0xFF, xqa_part_bytes(parts, k.group));
  const double k_scale = p.k_scale == nullptr ? 1 : *p.k_scale;
  const double v_scale = p.v_scale == nullptr ? 1 : *p.v_scale;
  const auto view = [&](void* data) {
    return PageView{data, int64_t{p.block_stride} * kXqaHeadDim,
                    int64_t{p.token_stride} * kXqaHeadDim, int64_t{p.head_stride} * kXqaHeadDim};
  };
  for (int64_t r = 0; r < p.requests.count && r < *p.requests.used; ++r) {
    const int64_t length = p.requests.lengths[r];
    const int64_t first = p.window > 0 ? std::max<int64_t>(0, length - p.window) : 0;
    for (int64_t head = 0; head < q_heads; ++head) {
      EXPECT_EQ(p.tickets[r * p.kv_heads + head / k.group], 0U);
      const Cache cache{
          view(p.k),    view(p.v),      p.requests.table + r * p.requests.table_stride,
          k.block_size, head / k.group, Stored::kE4m3};
      const int64_t row_at = (r * q_heads + head) * kXqaHeadDim;
      const Row row = attend_row(
          kXqaHeadDim, first, length, cache,
          [&](int i) { return load(p.q, row_at + i, Stored::kBf16); },
          [&](double x) { return x * p.softmax_scale * k_scale; });
      const double sum = std::exp2(row.lse);
      const double all = p.sinks == nullptr ? sum : sum + std::exp(double(p.sinks[head]));
      for (int i = 0; i < kXqaHeadDim; ++i) {
        store(p.out, row_at + i, Half::kBf16,
              sum == 0 ? 0 : row.out[size_t(i)] * v_scale * sum / all);
      }
    }
  }
  return nullptr;
}

}  // namespace attnrt::flashinfer
