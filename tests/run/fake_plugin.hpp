// Plugins of this process: tables whose functions count, refuse on demand, and compute plain f32
// attention over an f32 cache, so that a session's numbers can be checked without any backend.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "attnrt/plan.hpp"
#include "run/plugin_source.hpp"

namespace attnrt::testing_fakes {

// What one fake does and what has been asked of it.
struct FakeState {
  std::string refuse_open;     // not empty: open answers UNAVAILABLE with this text
  int32_t refuse_prepare = 0;  // ATTNRT_OP_*: prepare of this op answers UNSUPPORTED
  int32_t refuse_attend = 0;   // attend of this op answers DEVICE_ERROR
  int32_t break_in_attend =
      0;  // attend of this op answers OK, and the next synchronize DEVICE_ERROR
  bool throw_in_append = false;
  attnrt_workspace_sizes sizes{};  // what `workspace` answers
  bool no_service = false;         // device_service answers null
  bool first_service = false;      // device_service answers the table of version 1.0
  int32_t refuse_allocation = 0;   // the so many-th from now on fails; 0: none

  int32_t opened = 0, closed = 0, prepared = 0, released = 0;
  int32_t schedules = 0, reschedules = 0, live_schedules = 0;
  std::vector<attnrt_layer_class> classes;
  std::vector<std::string> kernels;  // as prepared
  std::vector<std::string> options;  // "key=value", as opened
  struct Call {
    int32_t op;
    int32_t sequences;
    int32_t tokens;
  };
  std::vector<Call> calls;  // of attend
  attnrt_append_args last_append{};
  attnrt_attend_args last_attend{};
  std::vector<attnrt_workspace> workspaces;  // as scheduled
  std::vector<attnrt_batch> batches;         // as scheduled
  int32_t allocations = 0, live_allocations = 0, copies = 0, synchronisations = 0;
  bool broken = false;  // see break_in_attend
};

// Fakes "one" and "two", both with every op in f32 (see fake_plugin.cpp), as catalog entries 0, 1.
class FakeSource final : public runtime::PluginSource {
 public:
  FakeSource() : FakeSource([](KernelManifest&) {}) {}
  // change: of every kernel's manifest.
  explicit FakeSource(const std::function<void(KernelManifest&)>& change);
  const Catalog& catalog() const override { return catalog_; }
  Result<LoadedPlugin> load(uint32_t plugin) const override;

  FakeState& state(uint32_t plugin);
  bool refuse_load = false;

 private:
  Catalog catalog_;
};

// A plan of `layers` over the fakes, f32, block size 4. mixed: whether the layers have that op.
struct FakePlan {
  std::vector<LayerGeometry> layers = std::vector<LayerGeometry>(1, LayerGeometry{4, 2, {8, 8}});
  std::vector<Format> formats;       // a layer each; empty: f32
  std::vector<int32_t> block_sizes;  // a layer each; empty: 4
  uint32_t plugin = 0;
  bool mixed = true;
  Features features{Feature::kLse};
  Device device;
  int32_t decode_query_tokens = 1;

  Plan make() const;
};

// softmax(scale q k) v of one query over its visible keys, row by row; the test's own arithmetic.
std::vector<float> attention(const std::vector<float>& q, const std::vector<const float*>& keys,
                             const std::vector<const float*>& values, int32_t head_dim_v,
                             double scale);

}  // namespace attnrt::testing_fakes
