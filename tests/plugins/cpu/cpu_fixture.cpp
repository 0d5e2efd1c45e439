#include "tests/plugins/cpu/cpu_fixture.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/plugins/cpu/each_isa.hpp"
#include "tests/support/dense_tensor.hpp"
#include "tests/support/error_bound.hpp"
#include "tests/support/paged_cache.hpp"

namespace attnrt::testing {
namespace {

const std::string kOraclePlugin = ATTNRT_BINARY_DIR "/plugins/reference.so";

DriverOptions options_of(const std::string& isa, int32_t threads) {
  DriverOptions options;
  options.threads = threads;
  if (!isa.empty()) options.options = {{"isa", isa}};
  if (threads == 0) options.options.push_back({"threads", "3"});
  return options;
}

double value_of(Fill fill, std::mt19937& random, size_t i) {
  std::normal_distribution<double> normal;
  switch (fill) {
    case Fill::kOutlier:
      return i % 997 == 5 ? 300.0 : 0.05 * normal(random);
    case Fill::kEqual:
      return 0.75;
    case Fill::kAlternating:
      return i % 2 == 0 ? 1.5 : -1.5;
    case Fill::kSubnormal:
      return normal(random) * 0x1p-17;
    case Fill::kHuge:
      return normal(random) * 600.0;  // beyond e4m3's 448: many saturate
    default:
      return normal(random);
  }
}

void fill(DenseTensor& tensor, Fill how, uint32_t seed) {
  std::mt19937 random(seed);
  const TensorShape s = tensor.shape();
  size_t i = 0;
  for (int64_t t = 0; t < s.tokens; ++t) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t d = 0; d < s.width; ++d) tensor.set(t, h, d, value_of(how, random, i++));
    }
  }
}

// Rows [end - rows, end) of a recorded tensor, from row `first` of `to` on.
void copy_rows(const std::vector<float>& from, int32_t end, int32_t rows, DenseTensor& to,
               int64_t first) {
  const TensorShape s = to.shape();
  auto next = from.begin() + int64_t{end - rows} * s.heads * s.width;
  for (int64_t t = first; t < first + rows; ++t) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t d = 0; d < s.width; ++d) to.set(t, h, d, *next++);
    }
  }
}

CacheSpec cache_spec(const CpuCase& c, int32_t blocks) {
  CacheSpec spec;
  spec.format = *parse_format(c.format);
  spec.kind = c.latent ? CacheKind::kLatent : CacheKind::kSeparate;
  spec.head_dim = {c.qk, c.v};
  spec.kv_heads = c.kv_heads;
  spec.block_size = c.block_size;
  spec.blocks = blocks;
  spec.layout = static_cast<Layout>(c.layout);
  spec.row_gap = spec.group_gap = spec.page_gap = c.gap;
  return spec;
}

attnrt_layer_class layer_of(const CpuCase& c, int32_t op) {
  attnrt_layer_class layer =
      make_layer_class(op, c.format.c_str(), c.q_heads, c.kv_heads, c.qk, c.v);
  layer.q_dtype = c.q_dtype;
  layer.out_dtype = c.out_dtype;
  layer.block_size = c.block_size;
  layer.layout = c.layout;
  layer.cache_kind = c.latent ? ATTNRT_CACHE_LATENT : ATTNRT_CACHE_SEPARATE;
  layer.softmax_scale = c.softmax_scale;
  layer.features = c.features;
  layer.window = c.window;
  layer.softcap = c.softcap;
  return layer;
}

double largest_norm(const DenseTensor& t) {
  double largest = 0;
  for (int64_t i = 0; i < t.shape().tokens; ++i) {
    for (int64_t h = 0; h < t.shape().heads; ++h) {
      double sum = 0;
      for (int64_t d = 0; d < t.shape().width; ++d) sum += t.get(i, h, d) * t.get(i, h, d);
      largest = std::max(largest, std::sqrt(sum));
    }
  }
  return largest;
}

std::vector<bool> tree_row(int32_t q_len, int32_t i) {
  std::vector<bool> row(static_cast<size_t>(q_len));
  for (int32_t j = 0; j <= i; ++j) row[static_cast<size_t>(j)] = j == i || (i + j) % 3 != 0;
  return row;
}

}  // namespace

struct CpuFixture::Data {
  Data(const CpuCase& c)
      : batch(c.lengths, c.block_size, c.seed),
        q(c.q_dtype, {batch.tokens(), c.q_heads, c.qk}, c.gap),
        k(c.q_dtype, {batch.keys(), c.kv_heads, c.qk}, c.gap),
        v(c.q_dtype, {batch.keys(), c.kv_heads, c.v}, c.gap),
        cache(cache_spec(c, batch.blocks())),
        magnitudes(cache_spec(c, batch.blocks())) {
    for (const CpuCase::Shared& s : c.shared) batch.share_prefix(s.owner, s.sequence, s.keys);
    batch.set_hint(c.hint);
    if ((c.features & ATTNRT_FEATURE_WINDOW) != 0) batch.free_behind_window(c.window);
    if (c.recorded) {
      fill_recorded(c);
    } else {
      fill(q, c.fill == Fill::kHuge ? Fill::kNormal : c.fill, c.seed + 10);
      fill(k, c.fill, c.seed + 20);
      fill(v, c.fill, c.seed + 30);
    }
    std::mt19937 random(c.seed + 40);
    for (int32_t h = 0; h < c.q_heads; ++h) {
      sinks.push_back(static_cast<float>(random() % 5) - 2.0F);
      slopes.push_back(
          std::exp2(-8.0F * static_cast<float>(h + 1) / static_cast<float>(c.q_heads)));
    }
    std::vector<int32_t> prefix;
    std::vector<std::vector<bool>> tree;
    for (const SequenceLengths& l : c.lengths) {
      prefix.push_back(l.kv * 2 / 3);
      for (int32_t i = 0; i < l.q; ++i) tree.push_back(tree_row(l.q, i));
    }
    if ((c.features & ATTNRT_FEATURE_PREFIX_LM) != 0) batch.set_prefix_lens(prefix);
    if ((c.features & ATTNRT_FEATURE_TREE_MASK) != 0) batch.set_tree(tree);
    if ((c.features & ATTNRT_FEATURE_PER_HEAD_SCALES) != 0) {
      std::vector<float> scales;
      for (int32_t h = 0; h < c.kv_heads; ++h)
        scales.push_back(0.5F + 0.37F * static_cast<float>(h));
      cache.set_scales(scales, {scales.rbegin(), scales.rend()});
      magnitudes.set_scales(scales, {scales.rbegin(), scales.rend()});
    }
  }

  void fill_recorded(const CpuCase& c) {
    int64_t query = 0;
    int64_t key = 0;
    for (const SequenceLengths& l : c.lengths) {
      copy_rows(c.recorded->q, l.kv, l.q, q, query);
      copy_rows(c.recorded->k, l.kv, l.kv, k, key);
      copy_rows(c.recorded->v, l.kv, l.kv, v, key);
      query += l.q;
      key += l.kv;
    }
  }

  TestBatch batch;
  DenseTensor q, k, v;
  PagedCache cache;
  PagedCache magnitudes;  // K as it is, |V|: what the oracle makes of it is sum p |v| / sum p
  std::vector<float> sinks, slopes;
};

namespace {

void append(PluginDriver& driver, const std::string& kernel, const CpuCase& c, DenseTensor& k,
            DenseTensor& v, const TestBatch& batch, PagedCache& cache) {
  const OpHandle op = driver.prepare(kernel, layer_of(c, ATTNRT_OP_APPEND));
  const std::vector<int64_t> slots = batch.key_slots();
  AppendCall call;
  call.k = k.view();
  if (!c.latent) call.v = v.view();
  call.cache = cache.view();
  call.slots = slots;
  driver.append(*op, call);
}

std::string oracle_kernel(const CpuCase& c) {
  if (c.format == "fp8_ds_mla_v32") return "ds_mla";
  if (c.format.starts_with("fp8_ds_mla_v4")) return "ds_mla_v4";
  if (c.format == "int4_per_token_head") return "int4";
  if (c.format == "nvfp4_linear") return "nvfp4";
  if (c.format == "nvfp4_swizzled") return "nvfp4_swizzled";
  return c.latent ? "plain_latent" : "plain";
}
std::string cpu_kernel(const CpuCase& c) {
  if (c.format == "fp8_ds_mla_v32") return "attend_ds_mla";
  if (c.format.starts_with("fp8_ds_mla_v4")) return "attend_ds_mla_v4";
  if (c.format == "int4_per_token_head") return "attend_int4";
  if (c.format == "nvfp4_linear") return "attend_nvfp4";
  if (c.format == "nvfp4_swizzled") return "attend_nvfp4_swizzled";
  return c.latent ? "attend_latent" : "attend";
}

}  // namespace

CpuFixture::CpuFixture(const CpuCase& c) : c_(c), data_(std::make_unique<Data>(c)) {
  PluginDriver oracle(kOraclePlugin, options_of("", 2));
  append(oracle, oracle_kernel(c), c, data_->k, data_->v, data_->batch, data_->cache);
  DenseTensor magnitudes = c.latent ? data_->k : data_->v;
  for (int64_t t = 0; t < magnitudes.shape().tokens; ++t) {
    for (int64_t h = 0; h < magnitudes.shape().heads; ++h) {
      for (int64_t d = 0; d < magnitudes.shape().width; ++d) {
        magnitudes.set(t, h, d, std::abs(magnitudes.get(t, h, d)));
      }
    }
  }
  oracle_ = attend(oracle, oracle_kernel(c), ATTNRT_DTYPE_F64, ATTNRT_DTYPE_F64, false);
  // A latent cache has no V of its own: there the largest value bounds the sums.
  if (c.latent) return;
  append(oracle, oracle_kernel(c), c, data_->k, magnitudes, data_->batch, data_->magnitudes);
  abs_pv_ = attend(oracle, oracle_kernel(c), ATTNRT_DTYPE_F64, ATTNRT_DTYPE_F64, true).out;
}

CpuFixture::~CpuFixture() = default;

Result CpuFixture::attend(PluginDriver& driver, const std::string& kernel, int32_t out_dtype,
                          int32_t lse_dtype, bool magnitudes) const {
  Data& d = *data_;
  DenseTensor out(out_dtype, {d.batch.tokens(), c_.q_heads, c_.v}, c_.gap);
  DenseTensor lse(lse_dtype, {d.batch.tokens(), c_.q_heads, 0}, c_.gap);
  AttendCall call;
  call.q = d.q.view();
  call.out = out.view();
  if ((c_.features & ATTNRT_FEATURE_LSE) != 0) call.lse = lse.view();
  call.cache = (magnitudes ? d.magnitudes : d.cache).view();
  call.sinks = d.sinks.data();
  call.alibi_slopes = d.slopes.data();
  attnrt_layer_class layer = layer_of(c_, ATTNRT_OP_MIXED);
  layer.out_dtype = out_dtype;
  const OpHandle op = driver.prepare(kernel, layer);
  driver.attend(*op, d.batch.view(), d.batch.bounds(), call);
  return {out.values(), lse.values(), out.padding_untouched() && lse.padding_untouched()};
}

Result CpuFixture::run(const std::string& isa, int32_t threads) const {
  PluginDriver driver(kCpuPlugin, options_of(isa, threads));
  return attend(driver, cpu_kernel(c_), c_.out_dtype, ATTNRT_DTYPE_F32, false);
}

Result CpuFixture::run_alone(const std::string& isa, size_t sequence) const {
  Data& d = *data_;
  const attnrt_batch all = d.batch.view();
  const SequenceLengths l = c_.lengths[sequence];
  const int32_t first = all.q_start.host[sequence];
  const int32_t q_start[2] = {0, l.q};
  attnrt_batch alone = all;
  alone.sequences = 1;
  alone.tokens = alone.max_q_len = l.q;
  alone.max_kv_len = l.kv;
  alone.q_start = {q_start, q_start};
  alone.kv_len = {all.kv_len.host + sequence, all.kv_len.host + sequence};
  const int32_t* table =
      all.block_table.host + static_cast<int64_t>(sequence) * all.block_table_stride;
  alone.block_table = {table, table};
  const attnrt_bounds bounds{sizeof(bounds), 1, l.q, l.q, l.kv};

  DenseTensor out(c_.out_dtype, {l.q, c_.q_heads, c_.v});
  DenseTensor lse(ATTNRT_DTYPE_F32, {l.q, c_.q_heads, 0});
  AttendCall call;
  call.q = d.q.view();
  call.q.shape[0] = l.q;
  call.q.data = static_cast<uint8_t*>(call.q.data) +
                first * call.q.stride[0] * (c_.q_dtype == ATTNRT_DTYPE_F32 ? 4 : 2);
  call.out = out.view();
  call.lse = lse.view();
  call.cache = d.cache.view();
  PluginDriver driver(kCpuPlugin, options_of(isa, 2));
  const OpHandle op = driver.prepare(cpu_kernel(c_), layer_of(c_, ATTNRT_OP_MIXED));
  driver.attend(*op, alone, bounds, call);
  return {out.values(), lse.values(), true};
}

void CpuFixture::expect_close(const Result& found) const {
  EXPECT_TRUE(found.padding_untouched);
  int64_t keys = 0;
  for (const SequenceLengths& l : c_.lengths) keys = std::max<int64_t>(keys, l.kv);
  ErrorTerms t;
  t.format = c_.format;
  t.q_dtype = c_.weights_of_16_bits ? ATTNRT_DTYPE_F32 : c_.q_dtype;
  t.out_dtype = c_.out_dtype;
  t.kv_len = keys;
  t.head_dim_qk = c_.qk;
  t.head_dim_v = c_.v;
  const double scale = c_.softmax_scale != 0.0F ? std::abs(double{c_.softmax_scale})
                                                : 1.0 / std::sqrt(double(c_.qk));
  // Stored keys may be larger than the appended ones by their rounding; Cauchy and Schwarz. Of a
  // rotated row each of n values is off by half of a fifteenth of a span of two lengths at most.
  const bool rotated = c_.format == "int4_per_token_head";
  const auto slack = [&](int32_t n) { return rotated ? 1 + std::sqrt(double(n)) / 15 : 1.2; };
  const double largest_key = largest_norm(data_->k);
  const double largest_value = largest_norm(data_->v) * slack(c_.v);
  t.abs_qk = scale * largest_norm(data_->q) * largest_key * slack(c_.qk);
  t.abs_bias = (c_.features & ATTNRT_FEATURE_ALIBI) != 0 ? static_cast<double>(keys) : 0.0;
  t.softcap = double{c_.softcap};
  // Products of bf16 take subnormal weights for 0.
  const double subnormal_weights =
      c_.q_dtype == ATTNRT_DTYPE_BF16 ? 0x1p-126 * static_cast<double>(keys) * largest_value : 0.0;
  ASSERT_EQ(found.out.size(), oracle_.out.size());
  for (size_t i = 0; i < found.out.size(); ++i) {
    t.out = oracle_.out[i];
    t.abs_pv = c_.latent ? largest_key : rotated ? largest_value : abs_pv_[i];
    const double split = c_.weights_of_16_bits ? 2 * 0x1p-16 * t.abs_pv : 0.0;
    const double cut = split + subnormal_weights;
    ASSERT_LE(std::abs(found.out[i] - t.out), out_bound(t) + cut)
        << "out[" << i << "]: " << found.out[i] << ", expected " << t.out;
  }
  if ((c_.features & ATTNRT_FEATURE_LSE) == 0) return;
  for (size_t i = 0; i < found.lse.size(); ++i) {
    t.lse = oracle_.lse[i];
    if (found.lse[i] == t.lse) continue;  // -inf
    ASSERT_LE(std::abs(found.lse[i] - t.lse), lse_bound(t))
        << "lse[" << i << "]: " << found.lse[i] << ", expected " << t.lse;
  }
}

void CpuFixture::expect_same_append(const std::string& isa) const {
  PagedCache own(data_->cache.spec());
  if ((c_.features & ATTNRT_FEATURE_PER_HEAD_SCALES) != 0) {
    const attnrt_cache_view view = data_->cache.view();
    own.set_scales({view.k_scale.data, view.k_scale.data + view.k_scale.count},
                   {view.v_scale.data, view.v_scale.data + view.v_scale.count});
  }
  PluginDriver driver(kCpuPlugin, options_of(isa, 2));
  append(driver, cpu_kernel(c_), c_, data_->k, data_->v, data_->batch, own);
  EXPECT_EQ(own.bytes(), data_->cache.bytes()) << isa;
}

namespace {

// Threads meet in the same places whatever the instructions: under tsan the best set speaks for
// all.
std::vector<std::string> isas_to_run() {
  std::vector<std::string> isas = cpu::available_isas();
#if defined(__SANITIZE_THREAD__)
  isas.resize(1);
#endif
  return isas;
}

}  // namespace

void expect_all_close(const CpuCase& c) {
  const CpuFixture fixture(c);
  for (const std::string& isa : isas_to_run()) {
    SCOPED_TRACE(isa + ", " + c.format);
    fixture.expect_close(fixture.run(isa));
    fixture.expect_same_append(isa);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace attnrt::testing
