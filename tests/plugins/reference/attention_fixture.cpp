#include "tests/plugins/reference/attention_fixture.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "attnrt/manifest.hpp"
#include "tests/support/tensor_file.hpp"

namespace attnrt::testing {
namespace {

uint64_t feature_bits(const std::vector<std::string>& names) {
  uint64_t bits = 0;
  for (const std::string& n : names) bits |= uint64_t{1} << static_cast<int>(*parse_feature(n));
  return bits;
}

int32_t dtype_of(const std::string& text) {
  return static_cast<int32_t>(*parse_dtype(text));
}

std::vector<std::vector<bool>> read_tree(const TensorFile& file, const RecordedCase& c) {
  const std::string name = c.name + ".tree";
  const auto bits = file.get<uint8_t>(name);
  const auto width = static_cast<size_t>(file.shape(name)[2]);
  std::vector<std::vector<bool>> rows;
  for (size_t n = 0; n < c.lengths.size(); ++n) {
    const auto q_len = static_cast<size_t>(c.lengths[n].q);
    for (size_t i = 0; i < q_len; ++i) {
      const auto first = bits.begin() + static_cast<int64_t>((n * width + i) * width);
      rows.emplace_back(first, first + static_cast<int64_t>(q_len));
    }
  }
  return rows;
}

RecordedCase read_case(const TensorFile& file, const std::string& name,
                       const nlohmann::json& json) {
  RecordedCase c;
  c.name = name;
  c.features = feature_bits(json.at("features"));
  for (const auto& pair : json.at("lengths")) c.lengths.push_back({pair.at(0), pair.at(1)});
  c.q_heads = json.at("q_heads");
  c.kv_heads = json.at("kv_heads");
  c.qk = json.at("qk");
  c.v = json.at("v");
  c.scale = json.at("scale");
  c.window = json.at("window");
  c.softcap = json.at("softcap");
  c.format = json.at("format");
  c.q_dtype = dtype_of(json.at("q_dtype"));
  c.latent = json.at("latent");
  c.k_scale = json.at("k_scale").get<std::vector<float>>();
  c.v_scale = json.at("v_scale").get<std::vector<float>>();
  c.q_scale = json.at("q_scale").get<std::vector<float>>();
  c.out_scale = json.at("out_scale").get<std::vector<float>>();
  c.prefix = json.at("prefix").get<std::vector<int32_t>>();
  c.q = file.get<float>(name + ".q");
  c.k = file.get<float>(name + ".k");
  if (!c.latent) c.v_rows = file.get<float>(name + ".v");
  if (file.has(name + ".sinks")) c.sinks = file.get<float>(name + ".sinks");
  if (file.has(name + ".alibi_slopes")) c.slopes = file.get<float>(name + ".alibi_slopes");
  if (file.has(name + ".tree")) c.tree = read_tree(file, c);
  c.out = file.get<double>(name + ".out");
  c.lse = file.get<double>(name + ".lse");
  return c;
}

DenseTensor tensor_of(int32_t dtype, TensorShape shape, int64_t padding,
                      const std::vector<float>& values) {
  DenseTensor tensor(dtype, shape, padding);
  tensor.fill(std::vector<double>(values.begin(), values.end()));
  return tensor;
}

attnrt_scale scale_of(const std::vector<float>& values) {
  if (values.empty()) return {nullptr, 0, 1.0F};
  return {values.data(), static_cast<int32_t>(values.size()), values[0]};
}

TestBatch batch_of(const RecordedCase& c, const Variant& variant) {
  TestBatch batch(c.lengths, variant.block_size, variant.seed);
  if (!c.prefix.empty()) batch.set_prefix_lens(c.prefix);
  if (!c.tree.empty()) batch.set_tree(c.tree);
  return batch;
}

}  // namespace

const std::vector<RecordedCase>& recorded_cases() {
  static const std::vector<RecordedCase> cases = [] {
    const TensorFile file(ATTNRT_SOURCE_DIR "/tests/data/attention/attention.safetensors");
    std::vector<RecordedCase> all;
    const auto json = nlohmann::json::parse(file.metadata().at("cases"));
    for (const auto& [name, value] : json.items()) all.push_back(read_case(file, name, value));
    return all;
  }();
  return cases;
}

const RecordedCase& recorded_case(std::string_view name) {
  for (const RecordedCase& c : recorded_cases()) {
    if (c.name == name) return c;
  }
  throw std::invalid_argument("no recorded case " + std::string(name));
}

attnrt_layer_class layer_of(const RecordedCase& c, const Variant& variant, int32_t op) {
  attnrt_layer_class layer =
      make_layer_class(op, c.format.c_str(), c.q_heads, c.kv_heads, c.qk, c.v);
  layer.q_dtype = op == ATTNRT_OP_APPEND ? ATTNRT_DTYPE_F32 : c.q_dtype;
  layer.out_dtype = variant.out_dtype;
  layer.block_size = variant.block_size;
  layer.layout = static_cast<int32_t>(variant.layout);
  layer.cache_kind = c.latent ? ATTNRT_CACHE_LATENT : ATTNRT_CACHE_SEPARATE;
  layer.softmax_scale = c.scale;
  layer.features = c.features;
  layer.window = c.window;
  layer.softcap = c.softcap;
  return layer;
}

PagedCache filled_cache(PluginDriver& driver, const RecordedCase& c, const Variant& variant,
                        const TestBatch& batch) {
  CacheSpec spec;
  spec.format = *parse_format(c.format);
  spec.kind = c.latent ? CacheKind::kLatent : CacheKind::kSeparate;
  spec.head_dim = {c.qk, c.v};
  spec.kv_heads = c.kv_heads;
  spec.block_size = variant.block_size;
  spec.blocks = batch.blocks();
  spec.layout = variant.layout;
  spec.row_gap = spec.group_gap = spec.page_gap = variant.gap;
  PagedCache cache(spec);
  cache.set_scales(c.k_scale, c.v_scale);

  DenseTensor k = tensor_of(ATTNRT_DTYPE_F32, {batch.keys(), c.kv_heads, c.qk}, variant.gap, c.k);
  AppendCall call;
  call.k = k.view();
  DenseTensor v(ATTNRT_DTYPE_F32, {0, 1, 1});
  if (!c.latent) {
    v = tensor_of(ATTNRT_DTYPE_F32, {batch.keys(), c.kv_heads, c.v}, variant.gap, c.v_rows);
    call.v = v.view();
  }
  const std::vector<int64_t> slots = batch.key_slots();
  call.slots = slots;
  call.cache = cache.view();
  const OpHandle op = driver.prepare("plain", layer_of(c, variant, ATTNRT_OP_APPEND));
  driver.append(*op, call);
  return cache;
}

Outcome run(PluginDriver& driver, const RecordedCase& c, const Variant& variant) {
  const TestBatch batch = batch_of(c, variant);
  PagedCache cache = filled_cache(driver, c, variant, batch);
  const std::vector<int64_t> slots = batch.key_slots();
  const bool foreign = cache.foreign_bytes_untouched(slots);

  DenseTensor q = tensor_of(c.q_dtype, {batch.tokens(), c.q_heads, c.qk}, variant.gap, c.q);
  DenseTensor out(variant.out_dtype, {batch.tokens(), c.q_heads, c.v}, variant.gap);
  DenseTensor lse(variant.lse_dtype, {batch.tokens(), c.q_heads, 0}, variant.gap);
  AttendCall call;
  call.q = q.view();
  call.out = out.view();
  const bool wants_lse = (c.features & ATTNRT_FEATURE_LSE) != 0;
  if (wants_lse) call.lse = lse.view();
  call.cache = cache.view();
  call.q_scale = scale_of(c.q_scale);
  call.out_scale = scale_of(c.out_scale);
  call.sinks = c.sinks.empty() ? nullptr : c.sinks.data();
  call.alibi_slopes = c.slopes.empty() ? nullptr : c.slopes.data();

  const OpHandle op = driver.prepare("plain", layer_of(c, variant, variant.op));
  driver.attend(*op, batch.view(), batch.bounds(), call);
  return {out.values(), wants_lse ? lse.values() : std::vector<double>{},
          foreign && out.padding_untouched() && lse.padding_untouched()};
}

}  // namespace attnrt::testing
