#include "bench/case.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "attnrt/session.hpp"
#include "bench/case_model.hpp"
#include "bench/machine/huge_pages.hpp"
#include "bench/random_rows.hpp"

namespace attnrt::bench {
namespace {

constexpr int32_t kAppendTokens = 1024;  // stored at once while the caches are filled

attnrt_i32_array both(const std::vector<int32_t>& values) {
  return {values.data(), values.data()};
}

}  // namespace

struct Case::Impl {
  // A batch with blocks of its own, and its schedule.
  struct Batch {
    std::vector<int32_t> table;
    std::optional<Step> step;
  };

  Impl(const CaseOptions& o, Session s, CasePlan p, Copies c)
      : options(o),
        shape(options.shape),
        plan(std::move(p)),
        copies(c),
        session(std::move(s)),
        random(o.seed) {}
  ~Impl() { batches.clear(); }  // steps end before their session

  int64_t blocks_a_sequence() const {
    return (int64_t{shape.kv_len} + plan.block_size - 1) / plan.block_size;
  }

  Status prepare() {
    if (Status s = draw_blocks(); !s.ok()) return s;
    if (Status s = store_first(); !s.ok()) return s;
    if (Status s = copy_to_all(); !s.ok()) return s;
    make_tensors();
    return make_steps();
  }

  // Every block of the pool once, in a random order.
  Status draw_blocks() {
    const int64_t entries = shape.batch * blocks_a_sequence();
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < entries * copies.batches; ++i) {
      Result<int32_t> id = session.pool().allocate(0);
      if (!id.ok()) return id.error();
      ids.push_back(*id);
    }
    shuffle(ids, random);
    batches.resize(static_cast<size_t>(copies.batches));
    for (size_t i = 0; i < batches.size(); ++i) {
      const auto begin = ids.begin() + static_cast<int64_t>(i) * entries;
      batches[i].table.assign(begin, begin + entries);
    }
    return Done{};
  }

  // The first sequence of the first batch, in the first layer, through the plugin that appends.
  Status store_first() {
    for (int32_t past = 0; past < shape.kv_len; past += kAppendTokens) {
      const int32_t tokens = std::min(kAppendTokens, shape.kv_len - past);
      if (Status s = store(past, tokens); !s.ok()) return s;
    }
    return Done{};
  }

  Status store(int32_t past, int32_t tokens) {
    const std::vector<int32_t> starts{0, tokens};
    const std::vector<int32_t> lengths{past + tokens};
    std::vector<int64_t> slots;
    for (int32_t t = past; t < past + tokens; ++t) {
      const int64_t block = batches[0].table[static_cast<size_t>(t / plan.block_size)];
      slots.push_back(block * plan.block_size + t % plan.block_size);
    }
    attnrt_batch b = batch_of(1, tokens, starts, lengths, batches[0].table);
    b.slot_mapping = {slots.data(), slots.data()};
    Result<Step> step = session.begin({&b, 1});
    if (!step.ok()) return step.error();
    const int64_t heads = shape.kv_heads;
    const HeadDim dim = shape.head_dim;
    const std::vector<uint8_t> k = random_values(tokens * heads * dim.qk, plan.q, random);
    if (plan.cache == CacheKind::kLatent) {
      return step->append(0, make_tensor(k.data(), plan.q, {tokens, heads, dim.qk}), {});
    }
    const std::vector<uint8_t> v = random_values(tokens * heads * dim.v, plan.q, random);
    return step->append(0, make_tensor(k.data(), plan.q, {tokens, heads, dim.qk}),
                        make_tensor(v.data(), plan.q, {tokens, heads, dim.v}));
  }

  // Its bytes again for all others: values don't matter, addresses do. In the order in which calls
  // will walk, so that what was written last, and may still be warm, is read last.
  Status copy_to_all() {
    const CacheGroup& group = session.plan().groups.front();
    Result<PageLayout> page = page_layout(group.page, group.layout);
    if (!page.ok()) return page.error();
    const std::vector<BlockRun> from = block_runs(session.view(0), *page);
    for (const Batch& batch : batches) {
      for (int32_t layer = 0; layer < copies.layers; ++layer) {
        copy_blocks(from, block_runs(session.view(layer), *page), batch.table);
      }
    }
    return Done{};
  }

  void copy_blocks(const std::vector<BlockRun>& from, const std::vector<BlockRun>& to,
                   const std::vector<int32_t>& table) const {
    const auto a_sequence = static_cast<size_t>(blocks_a_sequence());
    for (size_t i = 0; i < table.size(); ++i) {
      const int32_t source = batches[0].table[i % a_sequence];
      for (size_t r = 0; r < from.size(); ++r) {
        const uint8_t* begin = from[r].base + source * from[r].block_stride;
        uint8_t* end = to[r].base + table[i] * to[r].block_stride;
        if (begin != end) std::memcpy(end, begin, static_cast<size_t>(from[r].bytes));
      }
    }
  }

  void make_tensors() {
    const int64_t tokens = int64_t{shape.batch} * shape.q_len;
    q_values = random_values(tokens * shape.q_heads * shape.head_dim.qk, plan.q, random);
    q = make_tensor(q_values.data(), plan.q, {tokens, shape.q_heads, shape.head_dim.qk});
    const int64_t outputs = tokens * shape.q_heads * shape.head_dim.v;
    out_values.resize(static_cast<size_t>(outputs * element_bytes(plan.q)));
    out = make_tensor(out_values.data(), plan.q, {tokens, shape.q_heads, shape.head_dim.v});
  }

  Status make_steps() {
    for (int32_t i = 0; i <= shape.batch; ++i) q_start.push_back(i * shape.q_len);
    kv_len.assign(static_cast<size_t>(shape.batch), shape.kv_len);
    for (Batch& batch : batches) {
      const attnrt_batch b = batch_of(shape.batch, shape.q_len, q_start, kv_len, batch.table);
      Result<Step> step = session.begin({&b, 1});
      if (!step.ok()) return step.error();
      batch.step.emplace(*std::move(step));
    }
    return Done{};
  }

  attnrt_batch batch_of(int32_t sequences, int32_t q_len, const std::vector<int32_t>& starts,
                        const std::vector<int32_t>& lengths,
                        const std::vector<int32_t>& table) const {
    attnrt_batch b{};
    b.struct_size = sizeof b;
    b.sequences = sequences;
    b.tokens = sequences * q_len;
    b.max_q_len = q_len;
    b.max_kv_len = lengths.front();
    b.q_start = both(starts);
    b.kv_len = both(lengths);
    b.block_table = both(table);
    b.block_table_stride = blocks_a_sequence();
    return b;
  }

  CaseOptions options;
  const BenchShape& shape;
  CasePlan plan;
  Copies copies;
  Session session;
  SplitMix random;
  std::vector<Batch> batches;
  std::vector<int32_t> q_start, kv_len;
  std::vector<uint8_t> q_values, out_values;
  TensorView q{}, out{};
  int64_t next = 0;
};

Case::Case(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Case::~Case() = default;

Result<std::unique_ptr<Case>> Case::open(const CaseOptions& options,
                                         const PluginRegistry& registry) {
  const BenchShape& shape = options.shape;
  Result<CasePlan> one = plan_case(options, registry.catalog());
  if (!one.ok()) return one.error();
  const Copies copies =
      copies_for(work_of(shape, one->kv, one->cache).kv_bytes, options.walked_bytes);
  Result<Plan> plan = plan_layers(options, copies.layers, registry.catalog());
  if (!plan.ok()) return plan.error();

  SessionOptions session;
  session.max_sequences = shape.batch;
  session.max_tokens = std::max(shape.batch * shape.q_len, std::min(shape.kv_len, kAppendTokens));
  session.max_kv_len = shape.kv_len;
  session.threads = options.threads;
  const int64_t a_sequence = (int64_t{shape.kv_len} + one->block_size - 1) / one->block_size;
  session.blocks = a_sequence * shape.batch * copies.batches;
  for (const auto& [plugin, values] : options.plugins.options) {
    session.plugin_options.emplace_back(plugin, values);
  }
  Result<Session> opened = Session::open(*std::move(plan), registry, std::move(session));
  if (!opened.ok()) return opened.error();
  auto impl = std::make_unique<Impl>(options, *std::move(opened), *std::move(one), copies);
  if (Status s = impl->prepare(); !s.ok()) return s.error();
  return std::unique_ptr<Case>(new Case(std::move(impl)));
}

Status Case::attend() {
  Impl& c = *impl_;
  const int64_t turn = c.next++;
  const auto batch = static_cast<size_t>(turn / c.copies.layers % c.copies.batches);
  return c.batches[batch].step->attend(static_cast<int32_t>(turn % c.copies.layers), c.q, c.out);
}

// A value with all bits of its exponent set is infinite or no number.
Status Case::check_output() {
  const Impl& c = *impl_;
  const auto bytes = static_cast<size_t>(element_bytes(c.plan.q));
  const uint32_t exponent = c.plan.q == DType::kF32   ? 0x7f800000
                            : c.plan.q == DType::kF16 ? 0x7c00
                                                      : 0x7f80;
  for (size_t at = 0; at < c.out_values.size(); at += bytes) {
    uint32_t value = 0;
    std::memcpy(&value, &c.out_values[at], bytes);
    if ((value & exponent) != exponent) continue;
    return Error{ErrorCode::kVerification, c.shape.name + " on " + c.plan.plugin,
                 "finite outputs of finite inputs", "NaN or infinity",
                 "compare the backend with the oracle: attnrt run, verify: {against: reference}"};
  }
  return Done{};
}

std::span<const uint8_t> Case::output() const {
  return impl_->out_values;
}

const Copies& Case::copies() const {
  return impl_->copies;
}

const CasePlan& Case::plan() const {
  return impl_->plan;
}

double Case::walked_bytes() const {
  const Impl& c = *impl_;
  return work_of(c.shape, c.plan.kv, c.plan.cache).kv_bytes * c.copies.layers * c.copies.batches;
}

double Case::huge_pages() const {
  return huge_page_share(impl_->session.view(0).k.data);
}

std::string Case::description() const {
  for (const PluginUse& use : impl_->session.plugins()) {
    if (use.name == impl_->plan.plugin) return use.description;
  }
  return "";
}

}  // namespace attnrt::bench
