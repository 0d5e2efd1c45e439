#include "tests/failures/tiny_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/failures/support.hpp"

namespace attnrt::failures {
namespace {

constexpr int32_t kPrompt = 37;  // three blocks of 16, the last partly filled
constexpr int32_t kSteps = 3;
constexpr int32_t kTokens = kPrompt + kSteps;

uint32_t hash(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}

// Element i of a row, given its random bits.
float on_grid(Grid grid, uint32_t bits, int32_t i) {
  constexpr float kE2m1[] = {0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F};
  const float sign = (bits & 1) != 0 ? -1.0F : 1.0F;
  const uint32_t rest = bits >> 1;
  switch (grid) {
    case Grid::kSmall:
      return sign * 0.5F * static_cast<float>(rest % 5);
    case Grid::kInt8:
      return i == 0 ? 127.0F / 64 : sign * static_cast<float>(rest % 128) / 64;
    case Grid::kE2m1:
      return sign * (i % 16 == 0 ? 6.0F : kE2m1[rest % 8]);
    case Grid::kFine:
      return sign * static_cast<float>(rest & 0xffffff) / static_cast<float>(1 << 23);
  }
  return 0;
}

struct LayerData {
  LayerGeometry geometry;
  std::vector<float> q, k, v;  // [kTokens, heads, head size]
};

std::vector<float> fill(Grid grid, int32_t heads, int32_t size, uint32_t seed) {
  std::vector<float> rows(static_cast<size_t>(kTokens) * static_cast<size_t>(heads * size));
  for (size_t at = 0; at < rows.size(); ++at) {
    const uint32_t bits = hash(seed * 0x9e3779b9U + static_cast<uint32_t>(at));
    rows[at] = on_grid(grid, bits, static_cast<int32_t>(at % static_cast<size_t>(size)));
  }
  return rows;
}

LayerData make_layer(const LayerGeometry& g, Grid grid, uint32_t index) {
  return {.geometry = g,
          .q = fill(Grid::kSmall, g.q_heads, g.head_dim.qk, 3 * index),
          .k = fill(grid, g.kv_heads, g.head_dim.qk, 3 * index + 1),
          .v = fill(grid, g.kv_heads, g.head_dim.v, 3 * index + 2)};
}

// Plain attention of one token and head, in double.
std::vector<double> attention(const LayerData& layer, int32_t token, int32_t head) {
  const LayerGeometry& g = layer.geometry;
  const int32_t kv_head = head / (g.q_heads / g.kv_heads);
  const int32_t qk = g.head_dim.qk, v = g.head_dim.v;
  const int32_t first = g.window > 0 ? std::max(0, token - g.window + 1) : 0;
  std::vector<double> scores;
  for (int32_t t = first; t <= token; ++t) {
    double dot = 0;
    for (int32_t i = 0; i < qk; ++i) {
      dot +=
          static_cast<double>(layer.q[static_cast<size_t>((token * g.q_heads + head) * qk + i)]) *
          static_cast<double>(layer.k[static_cast<size_t>((t * g.kv_heads + kv_head) * qk + i)]);
    }
    scores.push_back(dot / std::sqrt(qk));
  }
  const double top = *std::ranges::max_element(scores);
  double sum = 0;
  std::vector<double> out(static_cast<size_t>(v), 0.0);
  for (int32_t t = first; t <= token; ++t) {
    const double weight = std::exp(scores[static_cast<size_t>(t - first)] - top);
    sum += weight;
    for (int32_t i = 0; i < v; ++i) {
      out[static_cast<size_t>(i)] +=
          weight *
          static_cast<double>(layer.v[static_cast<size_t>((t * g.kv_heads + kv_head) * v + i)]);
    }
  }
  for (double& value : out) value /= sum;
  return out;
}

double difference(const LayerData& layer, int32_t first_token, const std::vector<float>& out) {
  const LayerGeometry& g = layer.geometry;
  const size_t row = static_cast<size_t>(g.q_heads * g.head_dim.v);
  double worst = 0;
  for (size_t t = 0; t < out.size() / row; ++t) {
    for (int32_t head = 0; head < g.q_heads; ++head) {
      const auto expected = attention(layer, first_token + static_cast<int32_t>(t), head);
      for (size_t i = 0; i < expected.size(); ++i) {
        const float got = out[t * row + static_cast<size_t>(head * g.head_dim.v) + i];
        const double d = std::abs(static_cast<double>(got) - expected[i]);
        // NaN compares with nothing: it must not pass for a small difference.
        worst = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(worst, d);
      }
    }
  }
  return worst;
}

// One sequence's tables and the arrays of its next batch, for one cache group.
struct GroupState {
  explicit GroupState(BlockTables empty) : tables(std::move(empty)), sequence(tables.add()) {}

  BlockTables tables;
  int32_t sequence;
  std::vector<int64_t> slots;
  std::vector<int32_t> table, q_start, kv_len;
  int64_t stride = 0;

  Status grow(int32_t tokens) {
    slots.clear();
    std::vector<BlockPair> copies;
    Status grown = tables.extend(sequence, tokens, slots, copies);
    if (!grown) return grown;
    const int32_t one[] = {sequence};
    stride = tables.table(one, table);
    q_start = {0, tokens};
    kv_len = {static_cast<int32_t>(tables.length(sequence))};
    return Done{};
  }

  attnrt_batch batch() const {
    attnrt_batch b{};
    b.struct_size = sizeof(b);
    b.sequences = 1;
    b.tokens = b.max_q_len = q_start[1];
    b.max_kv_len = kv_len[0];
    b.q_start = {q_start.data(), q_start.data()};
    b.kv_len = {kv_len.data(), kv_len.data()};
    b.block_table = {table.data(), table.data()};
    b.block_table_stride = stride;
    b.slot_mapping = {slots.data(), slots.data()};
    return b;
  }
};

TensorView rows_of(const std::vector<float>& all, int32_t first, int32_t tokens, int32_t heads,
                   int32_t size) {
  return make_tensor(all.data() + static_cast<size_t>(first) * static_cast<size_t>(heads * size),
                     DType::kF32, {tokens, heads, size});
}

Result<double> run_layer(Step& step, int32_t index, const LayerData& layer, int32_t first,
                         int32_t tokens) {
  const LayerGeometry& g = layer.geometry;
  const auto k = rows_of(layer.k, first, tokens, g.kv_heads, g.head_dim.qk);
  const auto v = rows_of(layer.v, first, tokens, g.kv_heads, g.head_dim.v);
  if (Status s = step.append(index, k, v); !s) return s.error();
  std::vector<float> out(static_cast<size_t>(tokens * g.q_heads * g.head_dim.v), -1.0F);
  const auto q = rows_of(layer.q, first, tokens, g.q_heads, g.head_dim.qk);
  const auto o = make_tensor(out.data(), DType::kF32, {tokens, g.q_heads, g.head_dim.v});
  if (Status s = step.attend(index, q, o); !s) return s.error();
  return difference(layer, first, out);
}

}  // namespace

bool grid_of(Format format, Grid& grid) {
  switch (format) {
    case Format::kF32:
      grid = Grid::kFine;
      return true;
    case Format::kF16:
    case Format::kBf16:
    case Format::kFp8E4m3:
    case Format::kFp8E5m2:
    case Format::kFp8E4m3fnuz:
      grid = Grid::kSmall;
      return true;
    case Format::kInt8PerTokenHead:
      grid = Grid::kInt8;
      return true;
    case Format::kNvfp4Linear:
    case Format::kNvfp4Swizzled:
      grid = Grid::kE2m1;
      return true;
    default:
      return false;
  }
}

TinyModel tiny_model(DType dtype, HeadDim head_dim, const std::vector<int32_t>& windows,
                     Grid grid) {
  TinyModel model;
  model.geometry.name = "tiny";
  model.geometry.dtype = dtype;
  for (int32_t window : windows) {
    model.geometry.layers.push_back(
        {.q_heads = 4, .kv_heads = 2, .head_dim = head_dim, .window = window});
    model.grids.push_back(grid);
  }
  return model;
}

PlanOptions options_for(const std::string& plugin, const std::string& kv) {
  PlanOptions options;
  Result<Spelling> spelling = parse_spelling(kv);
  if (spelling) options.kv_cache.format = *spelling;
  options.kv_cache.block_size = 16;
  options.policy.require = plugin;
  options.q = DType::kF32;
  options.out = DType::kF32;
  return options;
}

Result<PlanOutcome> plan_tiny(const TinyModel& model, const PlanOptions& options) {
  Result<Device> cpu = parse_device("cpu", probe_host());
  if (!cpu) return cpu.error();
  return plan(model.geometry, *cpu, options, built_plugins().catalog());
}

Result<double> worst_difference(const TinyModel& model, Plan plan) {
  SessionOptions options;
  options.max_tokens = 64;
  options.max_kv_len = 64;
  options.blocks = 8;
  Result<Session> session = Session::open(std::move(plan), built_plugins(), options);
  if (!session) return session.error();
  std::vector<LayerData> layers;
  for (size_t i = 0; i < model.grids.size(); ++i) {
    layers.push_back(
        make_layer(model.geometry.layers[i], model.grids[i], static_cast<uint32_t>(i)));
  }
  std::vector<GroupState> groups;
  for (uint32_t g = 0; g < session->plan().groups.size(); ++g) {
    groups.emplace_back(session->make_tables(g));
  }
  double worst = 0;
  for (int32_t first = 0; first < kTokens;) {
    const int32_t tokens = first == 0 ? kPrompt : 1;
    std::vector<attnrt_batch> batches;
    for (GroupState& group : groups) {
      if (Status grown = group.grow(tokens); !grown) return grown.error();
      batches.push_back(group.batch());
    }
    Result<Step> step = session->begin(batches);
    if (!step) return step.error();
    for (size_t i = 0; i < layers.size(); ++i) {
      Result<double> d = run_layer(*step, static_cast<int32_t>(i), layers[i], first, tokens);
      if (!d) return d;
      worst = std::max(worst, *d);
    }
    first += tokens;
  }
  return worst;
}

}  // namespace attnrt::failures
