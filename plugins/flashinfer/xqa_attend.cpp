#include "xqa_attend.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "areas.hpp"
#include "views.hpp"

namespace attnrt::flashinfer {
namespace {

using cuda::Fence;
using cuda::Machine;
using plugin::require;

constexpr int64_t kRowBytes = kXqaHeadDim;  // of the cache

// Offsets within the state; staging has the same. The kernel leaves its tickets at 0; that they are
// copied too makes the state of an earlier batch, with more or fewer requests, no matter.
struct StateLayout {
  StateLayout(const Layer& layer, const XqaCapacity& c)
      : used(ints(int64_t{c.requests} * layer.kv_heads)) {
    lengths = used + kAreaAlignment;
    table = lengths + ints(c.requests);
    bytes = table + ints(int64_t{c.requests} * c.row);
  }

  uint64_t used;
  uint64_t lengths;
  uint64_t table;
  uint64_t bytes;
};

void fill(uint8_t* staging, const StateLayout& at, const Requests& r, const XqaCapacity& c,
          int32_t block_size) {
  std::memset(staging, 0, at.table);
  const auto count = static_cast<uint32_t>(r.count());
  std::memcpy(staging + at.used, &count, sizeof count);
  auto* lengths = reinterpret_cast<uint32_t*>(staging + at.lengths);
  auto* table = reinterpret_cast<int32_t*>(staging + at.table);
  for (size_t i = 0; i < count; ++i) {
    lengths[i] = static_cast<uint32_t>(r.keys(i, block_size));
    const auto first = r.indices.begin() + r.page_begin[i];
    std::copy(first, r.indices.begin() + r.page_begin[i + 1], table + i * size_t(c.row));
  }
}

class XqaSchedule : public plugin::Schedule {
 public:
  XqaSchedule(const Machine& machine, const Layer& layer, const XqaCapacity& most,
              const attnrt_batch& batch, const attnrt_workspace& workspace, void* stream)
      : machine_(machine), layer_(layer), most_(most), workspace_(workspace) {
    machine.use([&] { copied_ = machine.make_fence(); });
    reschedule(batch, stream);
  }

  void reschedule(const attnrt_batch& b, void* stream) override {
    plugin::check_batch(b, 0);
    for (int32_t n = 0; n < b.sequences; ++n) {
      const int32_t queries = b.q_start.host[n + 1] - b.q_start.host[n];
      require(queries <= 1, "sequence ", n, " has ", queries, " queries, decode_xqa takes one");
    }
    const Requests r = make_requests(layer_, b);
    const XqaCapacity own = xqa_capacity_of(r);
    require(!layer_.graph || most_.holds(own), "the batch has ", own.requests,
            " requests and rows of ", own.row, " pages, the bounds allow ", most_.requests, " and ",
            most_.row);
    capacity_ = layer_.graph ? most_ : own;
    tokens_ = b.tokens;
    if (capacity_.requests == 0) return;
    if (capacity_.requests > kXqaMostRequests) {
      plugin::fail(ATTNRT_UNSUPPORTED, "the batch has ", capacity_.requests,
                   " sequences with queries, XQA takes ", kXqaMostRequests,
                   ": divide the batch, or plan the layer for decode");
    }
    plugin::check_workspace(workspace_,
                            size_xqa(layer_, machine_.limits().multiprocessors, capacity_));
    auto* staging = static_cast<uint8_t*>(workspace_.staging);
    const StateLayout at(layer_, capacity_);
    machine_.use([&] {
      copied_->wait();  // or the copy under way would take what follows
      fill(staging, at, r, capacity_, layer_.block_size);
      machine_.copy(workspace_.state, staging, at.bytes, stream);
      copied_->record(stream);
    });
  }

  [[nodiscard]] int32_t tokens() const { return tokens_; }
  [[nodiscard]] const XqaCapacity& capacity() const { return capacity_; }
  [[nodiscard]] uint32_t* tickets() const { return static_cast<uint32_t*>(workspace_.state); }
  [[nodiscard]] XqaRequests requests() const {
    const StateLayout at(layer_, capacity_);
    const auto* state = static_cast<const uint8_t*>(workspace_.state);
    return {reinterpret_cast<const uint32_t*>(state + at.used),
            reinterpret_cast<const uint32_t*>(state + at.lengths),
            reinterpret_cast<const int32_t*>(state + at.table), capacity_.row, capacity_.requests};
  }

 private:
  const Machine& machine_;
  const Layer& layer_;
  const XqaCapacity most_;
  attnrt_workspace workspace_;
  std::unique_ptr<Fence> copied_;  // behind the last copy out of staging
  XqaCapacity capacity_{};
  int32_t tokens_ = 0;
};

class XqaOp : public plugin::Op {
 public:
  XqaOp(const Machine& machine, const Layer& layer)
      : machine_(machine), layer_(layer), kernel_{layer.group, layer.block_size} {
    machine.use([&] { check_launch("XQA", prepare_xqa(kernel_, shared_)); });
  }

  attnrt_workspace_sizes workspace(const attnrt_bounds& bounds) override {
    most_ = xqa_capacity_of(layer_, bounds);
    return size_xqa(layer_, machine_.limits().multiprocessors, most_);
  }

  std::unique_ptr<plugin::Schedule> schedule(const attnrt_batch& batch,
                                             const attnrt_workspace& workspace,
                                             void* stream) override {
    return std::make_unique<XqaSchedule>(machine_, layer_, most_, batch, workspace, stream);
  }

  void attend(plugin::Schedule& given, const attnrt_attend_args& a) override {
    const auto& schedule = static_cast<const XqaSchedule&>(given);
    check(schedule, a);
    if (schedule.capacity().requests == 0) return;
    const XqaParams params = make_params(schedule, a);
    machine_.use([&] { check_launch("XQA", launch_xqa(kernel_, shared_, params, a.stream)); });
  }

 private:
  void check(const XqaSchedule& schedule, const attnrt_attend_args& a) const {
    check_args(layer_, schedule.tokens(), a);
    plugin::check_packed(a.q, "q");
    plugin::check_packed(a.out, "out");
    require(a.lse.data == nullptr, "lse is given, which is not in the manifest: XQA has none");
    require(!layer_.sinks || a.sinks != nullptr, "sinks is null");
    require(a.scratch != nullptr || schedule.capacity().requests == 0, "scratch is null");
  }

  // In rows, of which packed pages have whole ones.
  static uint32_t rows_of(int64_t bytes, const char* name) {
    const int64_t rows = bytes / kRowBytes;
    if (rows > UINT32_MAX) {
      plugin::fail(ATTNRT_UNSUPPORTED, "cache has a ", name, " of ", rows, " rows of ", kRowBytes,
                   " bytes, XQA counts to 2^32: make the cache smaller, or plan the layer for "
                   "another kernel");
    }
    return static_cast<uint32_t>(rows);
  }

  void set_pages(XqaParams& p, const attnrt_cache_view& c) const {
    const plugin::PackedPage page{kRowBytes, layer_.kv_heads, layer_.block_size, layer_.hnd};
    for (const auto& [side, name] : {std::pair{&c.k, "cache.k"}, std::pair{&c.v, "cache.v"}}) {
      plugin::check_aligned(*side, name, kAlignment);
      plugin::check_packed(*side, name, page, c.blocks);
    }
    check_same_strides(c.k.block_stride == c.v.block_stride &&
                           c.k.token_stride == c.v.token_stride &&
                           c.k.head_stride == c.v.head_stride,
                       "XQA");
    p.k = c.k.data;
    p.v = c.v.data;
    p.block_stride = rows_of(c.k.block_stride, "block_stride");
    p.token_stride = rows_of(c.k.token_stride, "token_stride");
    p.head_stride = rows_of(c.k.head_stride, "head_stride");
    rows_of(c.k.block_stride * c.blocks, "size");
  }

  XqaParams make_params(const XqaSchedule& schedule, const attnrt_attend_args& a) const {
    const XqaCapacity& c = schedule.capacity();
    XqaParams p{};
    p.requests = schedule.requests();
    p.q = a.q.data;
    p.out = a.out.data;
    set_pages(p, a.cache);
    p.k_scale = scale_data(a.cache.k_scale, "cache.k_scale");
    p.v_scale = scale_data(a.cache.v_scale, "cache.v_scale");
    p.sinks = layer_.sinks ? a.sinks : nullptr;
    p.tickets = schedule.tickets();
    p.parts = a.scratch;
    p.kv_heads = layer_.kv_heads;
    p.window = layer_.window;
    p.splits = xqa_splits(machine_.limits().multiprocessors, c.requests, layer_.kv_heads,
                          int64_t{c.row} * layer_.block_size);
    p.softmax_scale = layer_.softmax_scale;
    return p;
  }

  const Machine& machine_;
  const Layer layer_;
  const XqaKernel kernel_;
  uint32_t shared_ = 0;  // bytes of a launch
  XqaCapacity most_{};   // of the bounds that were asked for last
};

}  // namespace

XqaCapacity xqa_capacity_of(const Requests& r) {
  XqaCapacity c{r.count(), 0};
  for (size_t i = 0; i < r.last_page_len.size(); ++i) {
    c.row = std::max(c.row, r.page_begin[i + 1] - r.page_begin[i]);
  }
  return c;
}

XqaCapacity xqa_capacity_of(const Layer& layer, const attnrt_bounds& bounds) {
  const Capacity c = capacity_of(layer, bounds);
  return {c.requests, bounds.sequences == 0 ? 0 : static_cast<int32_t>(c.pages / bounds.sequences)};
}

attnrt_workspace_sizes size_xqa(const Layer& layer, int32_t multiprocessors, const XqaCapacity& c) {
  const uint64_t state = StateLayout(layer, c).bytes;
  attnrt_workspace_sizes sizes{};
  sizes.state = {state, kAreaAlignment};
  sizes.scratch = {xqa_part_bytes(multiprocessors, layer.group), kAreaAlignment};
  sizes.staging = {state, kAreaAlignment};
  return sizes;
}

std::unique_ptr<plugin::Op> make_xqa(const Machine& machine, const Layer& layer) {
  return std::make_unique<XqaOp>(machine, layer);
}

}  // namespace attnrt::flashinfer
