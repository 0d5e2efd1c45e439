#include "bench/case.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "attnrt/session.hpp"
#include "bench/case_model.hpp"
#include "bench/device/mirror.hpp"
#include "bench/machine/huge_pages.hpp"
#include "bench/random_rows.hpp"

namespace attnrt::bench {
namespace {

constexpr int32_t kAppendTokens = 1024;  // stored at once while the caches are filled

int64_t blocks_for(int32_t tokens, int32_t block_size) {
  return (int64_t{tokens} + block_size - 1) / block_size;
}

// Of one batch.
int64_t blocks_for(const BenchShape& shape, int32_t block_size) {
  return blocks_for(shape.kv_len, block_size) +
         (shape.batch - 1) * blocks_for(shape.kv_len_of(1), block_size);
}

}  // namespace

struct Case::Impl {
  // A batch with blocks of its own, and its schedule.
  struct Batch {
    std::vector<int32_t> table;  // [sequences, stride()]
    std::optional<Mirror> mirror;
    std::optional<Step> step;
  };

  Impl(const CaseOptions& o, Session s, CasePlan p, Copies c, std::unique_ptr<Stream> queue)
      : options(o),
        shape(options.shape),
        plan(std::move(p)),
        copies(c),
        session(std::move(s)),
        stream(std::move(queue)),
        random(o.seed) {}
  ~Impl() {
    static_cast<void>(stream->wait());
    batches.clear();  // steps end before their session
  }

  const DeviceFunctions& device() const { return stream->device(); }
  bool on_host() const { return device().service == nullptr; }

  int64_t blocks_of(int32_t sequence) const {
    return blocks_for(shape.kv_len_of(sequence), plan.block_size);
  }
  int64_t stride() const { return blocks_of(0); }  // entries of a table's row: of the longest

  Status prepare() {
    if (Status s = draw_blocks(); !s.ok()) return s;
    if (Status s = fill_caches(); !s.ok()) return s;
    if (Status s = make_tensors(); !s.ok()) return s;
    return make_steps();
  }

  // Every block of the pool once, in a random order.
  Status draw_blocks() {
    std::vector<int32_t> ids;
    const int64_t all = blocks_for(shape, plan.block_size) * copies.batches;
    for (int64_t i = 0; i < all; ++i) {
      Result<int32_t> id = session.pool().allocate(0);
      if (!id.ok()) return id.error();
      ids.push_back(*id);
    }
    std::sort(ids.begin(), ids.end());  // so that the seed alone makes their order
    shuffle(ids, random);
    auto next_id = ids.begin();
    batches.resize(static_cast<size_t>(copies.batches));
    for (Batch& batch : batches) {
      batch.table.resize(static_cast<size_t>(shape.batch * stride()));
      for (int32_t s = 0; s < shape.batch; ++s) {
        const auto end = next_id + blocks_of(s);
        std::copy(next_id, end, batch.table.begin() + s * stride());
        next_id = end;
      }
    }
    return Done{};
  }

  // Through the plugin that appends. A host then copies the first sequence's bytes to all others;
  // on a device, appending is the faster way to fill many pages.
  Status fill_caches() {
    Result<Rows> rows = make_rows();
    if (!rows.ok()) return rows.error();
    if (on_host()) {
      if (Status s = store(*rows, batches[0], 0, 1); !s.ok()) return s;
      return copy_to_all();
    }
    for (const Batch& batch : batches) {
      for (int32_t sequence = 0; sequence < shape.batch; ++sequence) {
        if (Status s = store(*rows, batch, sequence, copies.layers); !s.ok()) return s;
      }
    }
    return Done{};
  }

  // What is stored at once: keys and values, and the arrays of a batch of one sequence.
  struct Rows {
    Mirror k, v, q_start, kv_len, table, slots;
  };
  Result<Rows> make_rows() {
    const int32_t tokens = std::min(kAppendTokens, shape.kv_len);
    const int64_t latent = plan.cache == CacheKind::kLatent ? 0 : 1;
    const int64_t k_values = int64_t{tokens} * shape.kv_heads * shape.head_dim.qk;
    const int64_t v_values = latent * tokens * shape.kv_heads * shape.head_dim.v;
    Result<Mirror> made[] = {
        Mirror::of(device(), random_values(k_values, plan.q, random)),
        Mirror::of(device(), random_values(v_values, plan.q, random)),
        Mirror::of(device(), std::vector<int32_t>(2)),
        Mirror::of(device(), std::vector<int32_t>(1)),
        Mirror::of(device(), std::vector<int32_t>(static_cast<size_t>(stride()))),
        Mirror::of(device(), std::vector<int64_t>(static_cast<size_t>(tokens)))};
    for (const Result<Mirror>& one : made) {
      if (!one.ok()) return one.error();
    }
    return Rows{*std::move(made[0]), *std::move(made[1]), *std::move(made[2]),
                *std::move(made[3]), *std::move(made[4]), *std::move(made[5])};
  }

  // A whole sequence, in the first so many layers.
  Status store(Rows& rows, const Batch& batch, int32_t sequence, int32_t layers) {
    const int32_t length = shape.kv_len_of(sequence);
    const int32_t* table = batch.table.data() + sequence * stride();
    std::memcpy(rows.kv_len.host(), &length, sizeof length);
    std::memcpy(rows.table.host(), table, rows.table.bytes().size());
    for (int32_t past = 0; past < length; past += kAppendTokens) {
      const int32_t tokens = std::min(kAppendTokens, length - past);
      if (Status s = store(rows, table, past, tokens, layers); !s.ok()) return s;
    }
    return Done{};
  }

  // Nothing attends yet, so a batch may have all keys from the first append on: plugins that make
  // a plan for each length then make one.
  Status store(Rows& rows, const int32_t* table, int32_t past, int32_t tokens, int32_t layers) {
    const int32_t starts[] = {0, tokens};
    std::memcpy(rows.q_start.host(), starts, sizeof starts);
    auto* slots = reinterpret_cast<int64_t*>(rows.slots.host());
    for (int32_t i = 0; i < tokens; ++i) {
      const int32_t t = past + i;
      slots[i] = int64_t{table[t / plan.block_size]} * plan.block_size + t % plan.block_size;
    }
    for (Mirror* array : {&rows.q_start, &rows.kv_len, &rows.table, &rows.slots}) {
      if (Status s = array->send(); !s.ok()) return s;
    }
    attnrt_batch b = batch_of(1, tokens, rows.q_start, rows.kv_len, rows.table);
    b.slot_mapping = i64_array(rows.slots);
    Result<Step> step = session.begin({&b, 1}, stream->handle());
    if (!step.ok()) return step.error();
    const HeadDim dim = shape.head_dim;
    const TensorView k = make_tensor(rows.k.device(), plan.q, {tokens, shape.kv_heads, dim.qk});
    const bool latent = plan.cache == CacheKind::kLatent;
    const TensorView v =
        latent ? TensorView{}
               : make_tensor(rows.v.device(), plan.q, {tokens, shape.kv_heads, dim.v});
    for (int32_t layer = 0; layer < layers; ++layer) {
      if (Status s = step->append(layer, k, v); !s.ok()) return s;
    }
    return stream->wait();
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
        const std::vector<BlockRun> to = block_runs(session.view(layer), *page);
        for (int32_t s = 0; s < shape.batch; ++s) copy_sequence(from, to, batch, s);
      }
    }
    return Done{};
  }

  void copy_sequence(const std::vector<BlockRun>& from, const std::vector<BlockRun>& to,
                     const Batch& batch, int32_t sequence) const {
    const int32_t* sources = batches[0].table.data();
    const int32_t* blocks = batch.table.data() + sequence * stride();
    for (int64_t i = 0; i < blocks_of(sequence); ++i) {
      for (size_t r = 0; r < from.size(); ++r) {
        const uint8_t* begin = from[r].base + sources[i] * from[r].block_stride;
        uint8_t* end = to[r].base + blocks[i] * to[r].block_stride;
        if (begin != end) std::memcpy(end, begin, static_cast<size_t>(from[r].bytes));
      }
    }
  }

  Status make_tensors() {
    const int64_t tokens = int64_t{shape.batch} * shape.q_len;
    const int64_t queries = tokens * shape.q_heads * shape.head_dim.qk;
    const int64_t outputs = tokens * shape.q_heads * shape.head_dim.v;
    Result<Mirror> q = Mirror::of(device(), random_values(queries, plan.q, random));
    if (!q.ok()) return q.error();
    Result<Mirror> out = Mirror::of(
        device(), std::vector<uint8_t>(static_cast<size_t>(outputs * element_bytes(plan.q))));
    if (!out.ok()) return out.error();
    q_values.emplace(*std::move(q));
    out_values.emplace(*std::move(out));
    q_tensor = make_tensor(q_values->device(), plan.q, {tokens, shape.q_heads, shape.head_dim.qk});
    out_tensor =
        make_tensor(out_values->device(), plan.q, {tokens, shape.q_heads, shape.head_dim.v});
    return Done{};
  }

  Status make_steps() {
    std::vector<int32_t> starts, lengths;
    for (int32_t i = 0; i <= shape.batch; ++i) starts.push_back(i * shape.q_len);
    for (int32_t i = 0; i < shape.batch; ++i) lengths.push_back(shape.kv_len_of(i));
    Result<Mirror> q_starts = Mirror::of(device(), starts);
    if (!q_starts.ok()) return q_starts.error();
    Result<Mirror> kv_lens = Mirror::of(device(), lengths);
    if (!kv_lens.ok()) return kv_lens.error();
    q_start.emplace(*std::move(q_starts));
    kv_len.emplace(*std::move(kv_lens));
    for (Batch& batch : batches) {
      Result<Mirror> table = Mirror::of(device(), batch.table);
      if (!table.ok()) return table.error();
      batch.mirror.emplace(*std::move(table));
      const attnrt_batch b = batch_of(shape.batch, shape.q_len, *q_start, *kv_len, *batch.mirror);
      Result<Step> step = session.begin({&b, 1}, stream->handle());
      if (!step.ok()) return step.error();
      batch.step.emplace(*std::move(step));
    }
    return stream->wait();
  }

  attnrt_batch batch_of(int32_t sequences, int32_t q_len, Mirror& starts, Mirror& lengths,
                        Mirror& table) const {
    attnrt_batch b{};
    b.struct_size = sizeof b;
    b.sequences = sequences;
    b.tokens = sequences * q_len;
    b.max_q_len = q_len;
    b.q_start = i32_array(starts);
    b.kv_len = i32_array(lengths);
    b.max_kv_len = b.kv_len.host[0];
    b.block_table = i32_array(table);
    b.block_table_stride = stride();
    return b;
  }

  CaseOptions options;
  const BenchShape& shape;
  CasePlan plan;
  Copies copies;
  Session session;
  std::unique_ptr<Stream> stream;
  SplitMix random;
  std::optional<Mirror> q_start, kv_len, q_values, out_values;
  std::vector<Batch> batches;
  TensorView q_tensor{}, out_tensor{};
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
  session.blocks = blocks_for(shape, one->block_size) * copies.batches;
  for (const auto& [plugin, values] : options.plugins.options) {
    session.plugin_options.emplace_back(plugin, values);
  }
  Result<Session> opened = Session::open(*std::move(plan), registry, std::move(session));
  if (!opened.ok()) return opened.error();
  const DeviceFunctions device = opened->device();
  if (device.service != nullptr) {
    if (Status s = check_timing(device); !s.ok()) return s.error();
  }
  Result<std::unique_ptr<Stream>> stream = Stream::create(device);
  if (!stream.ok()) return stream.error();
  auto impl = std::make_unique<Impl>(options, *std::move(opened), *std::move(one), copies,
                                     *std::move(stream));
  if (Status s = impl->prepare(); !s.ok()) return s.error();
  return std::unique_ptr<Case>(new Case(std::move(impl)));
}

Status Case::attend() {
  Impl& c = *impl_;
  const int64_t turn = c.next++;
  const auto batch = static_cast<size_t>(turn / c.copies.layers % c.copies.batches);
  return c.batches[batch].step->attend(static_cast<int32_t>(turn % c.copies.layers), c.q_tensor,
                                       c.out_tensor);
}

// A value with all bits of its exponent set is infinite or no number.
Status Case::check_output() {
  Impl& c = *impl_;
  if (Status s = c.stream->wait(); !s.ok()) return s;
  if (Status s = c.out_values->fetch(); !s.ok()) return s;
  const std::vector<uint8_t>& values = c.out_values->bytes();
  const auto bytes = static_cast<size_t>(element_bytes(c.plan.q));
  const uint32_t exponent = c.plan.q == DType::kF32   ? 0x7f800000
                            : c.plan.q == DType::kF16 ? 0x7c00
                                                      : 0x7f80;
  for (size_t at = 0; at < values.size(); at += bytes) {
    uint32_t value = 0;
    std::memcpy(&value, &values[at], bytes);
    if ((value & exponent) != exponent) continue;
    return Error{ErrorCode::kVerification, c.shape.name + " on " + c.plan.plugin,
                 "finite outputs of finite inputs", "NaN or infinity",
                 "compare the backend with the oracle: attnrt run, verify: {against: reference}"};
  }
  return Done{};
}

std::span<const uint8_t> Case::output() const {
  return impl_->out_values->bytes();
}

const Stream& Case::stream() const {
  return *impl_->stream;
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
  return impl_->on_host() ? huge_page_share(impl_->session.view(0).k.data) : -1;
}

std::string Case::description() const {
  for (const PluginUse& use : impl_->session.plugins()) {
    if (use.name == impl_->plan.plugin) return use.description;
  }
  return "";
}

}  // namespace attnrt::bench
