#include <algorithm>

#include "axes.hpp"

namespace attnrt::conformance {
namespace {

// Values next to and around the listed ones.
std::vector<int32_t> around(const std::vector<int32_t>& values) {
  std::vector<int32_t> near;
  for (int32_t v : values)
    for (int32_t n : {v - 1, v + 1, v - 8, v + 8, v / 2, v * 2})
      if (n > 0 && std::find(near.begin(), near.end(), n) == near.end()) near.push_back(n);
  return near;
}

class Collector {
 public:
  Collector(const KernelManifest& kernel, Request base) : kernel_(kernel), base_(std::move(base)) {}

  template <class Change>
  void add(Rule rule, std::string what, Change change) {
    Neighbour n{base_, rule, std::move(what)};
    change(n.request);
    list_.push_back(std::move(n));
  }
  void devices();
  void types();
  void sizes();
  void features();
  std::vector<Neighbour> take() { return std::move(list_); }

 private:
  const KernelManifest& kernel_;
  Request base_;
  std::vector<Neighbour> list_;
};

void Collector::devices() {
  for (DeviceKind kind : {DeviceKind::kCpu, DeviceKind::kCuda, DeviceKind::kRocm, DeviceKind::kXpu})
    if (kind != kernel_.device)
      add(Rule::kDevice, std::string(name(kind)), [&](Request& r) {
        r.device = Device{kind,
                          -1,
                          kind == DeviceKind::kCuda ? 90 : 0,
                          kind == DeviceKind::kRocm ? "gfx942" : "",
                          {}};
      });
  if (kernel_.device != DeviceKind::kCuda && kernel_.device != DeviceKind::kSimt) return;
  for (int32_t sm : known_sms())
    if (std::find(kernel_.sm.begin(), kernel_.sm.end(), sm) == kernel_.sm.end())
      add(Rule::kSm, "sm " + std::to_string(sm), [&](Request& r) { r.device.sm = sm; });
}

void Collector::types() {
  for (const FormatInfo& format : all_formats())
    if (!kernel_.kv.contains(format.format) && base_.op != Op::kMerge)
      add(Rule::kKv, "kv " + std::string(format.name), [&](Request& r) { r.kv = format.format; });
  for (int v = 1; v <= 7; ++v) {
    const auto dtype = static_cast<DType>(v);
    // Parts of a merge are f32 whatever a request says.
    if (!kernel_.q.contains(dtype) && base_.op != Op::kMerge)
      add(Rule::kQ, "q " + std::string(name(dtype)), [&](Request& r) { r.q = dtype; });
    const bool out_listed = kernel_.out.empty() ? dtype == base_.q : kernel_.out.contains(dtype);
    if (!out_listed && base_.op != Op::kAppend)
      add(Rule::kOut, "out " + std::string(name(dtype)), [&](Request& r) { r.out = dtype; });
  }
  for (Op op : {Op::kAppend, Op::kPrefill, Op::kDecode, Op::kMixed})
    if (!kernel_.ops.contains(op) && base_.op != Op::kMerge)
      add(Rule::kOp, "op " + std::string(name(op)), [&](Request& r) { r.op = op; });
  for (const Strides strides : {Strides::kPacked, Strides::kStrided}) {
    if (!kernel_.tensors.contains(strides))
      add(Rule::kTensors, "tensors " + std::string(name(strides)),
          [&](Request& r) { r.tensors = strides; });
  }
  if (kernel_.alignment > 1)
    add(Rule::kAlignment, "alignment " + std::to_string(kernel_.alignment / 2),
        [&](Request& r) { r.alignment = kernel_.alignment / 2; });
  if (base_.op == Op::kMerge) return;
  for (Layout layout : {Layout::kNhd, Layout::kHnd})
    if (!kernel_.layout.contains(layout))
      add(Rule::kLayout, std::string(name(layout)), [&](Request& r) { r.layout = layout; });
  for (const Strides strides : {Strides::kPacked, Strides::kStrided}) {
    if (!kernel_.pages.contains(strides))
      add(Rule::kPages, "pages " + std::string(name(strides)),
          [&](Request& r) { r.pages = strides; });
  }
  for (CacheKind cache : {CacheKind::kSeparate, CacheKind::kLatent})
    if (!kernel_.cache.contains(cache))
      add(Rule::kCache, std::string(name(cache)), [&](Request& r) { r.cache = cache; });
}

void Collector::sizes() {
  std::vector<HeadDim> near;
  for (HeadDim d : sample(kernel_.head_dim))
    for (HeadDim n : {HeadDim{d.qk + 1, d.v + 1}, HeadDim{d.qk * 2, d.v * 2},
                      HeadDim{d.qk + 8, d.v}, HeadDim{d.qk - 8, d.v - 8}, HeadDim{d.v, d.qk}})
      if (n.qk > 0 && n.v > 0 && !kernel_.head_dim.contains(n)) near.push_back(n);
  for (HeadDim n : near)
    add(Rule::kHeadDim, "head_dim " + std::to_string(n.qk) + "," + std::to_string(n.v),
        [&](Request& r) { r.head_dim = n; });
  if (base_.op == Op::kMerge) return;
  for (int32_t block : around(sample(kernel_.block_size)))
    if (!kernel_.block_size.contains(block))
      add(Rule::kBlockSize, "block " + std::to_string(block),
          [&](Request& r) { r.block_size = block; });
  if (base_.op == Op::kAppend) return;
  for (int32_t group : around(sample(kernel_.group)))
    if (!kernel_.group.contains(group))
      add(Rule::kGroup, "group " + std::to_string(group),
          [&](Request& r) { r.q_heads = r.kv_heads * group; });
  if (base_.op == Op::kDecode)
    add(Rule::kQueryTokens, "query_tokens " + std::to_string(kernel_.max_query_tokens + 1),
        [&](Request& r) { r.query_tokens = kernel_.max_query_tokens + 1; });
}

void Collector::features() {
  if (base_.op == Op::kMerge || base_.op == Op::kAppend) return;
  for (int f = 0; f < kFeatureCount; ++f) {
    const auto feature = static_cast<Feature>(f);
    if (!kernel_.features.contains(feature))
      add(Rule::kFeatures, std::string(name(feature)),
          [&](Request& r) { r.features.insert(feature); });
  }
}

}  // namespace

std::vector<Neighbour> neighbours_of(const KernelManifest& kernel, Op op, const Device& device) {
  const CellList list = cells_of(kernel, op);
  if (list.cells.empty()) return {};
  Collector collector(kernel, to_request(list.cells.front(), device));
  collector.devices();
  collector.types();
  collector.sizes();
  collector.features();
  return collector.take();
}

}  // namespace attnrt::conformance
