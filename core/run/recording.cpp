// A model's recording as a workload: layers.i.{q,k,v,out} of one text, f32.
#include <algorithm>
#include <string>

#include "run/safetensors.hpp"
#include "run/tensor_source.hpp"

namespace attnrt::runtime {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

struct LayerRows {
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* out = nullptr;
};

class Recording final : public TensorSource {
 public:
  static Result<std::unique_ptr<TensorSource>> open(const RecordedWorkload& workload,
                                                    const ModelGeometry& model) {
    Result<Safetensors> file = Safetensors::open(workload.file);
    if (!file) return file.error();
    auto recording = std::make_unique<Recording>(std::move(*file), model);
    if (Status s = recording->read_layers(); !s) return s.error();
    const int64_t recorded = recording->recorded_tokens_;
    const auto all = static_cast<int32_t>(std::min<int64_t>(recorded, INT32_MAX));
    const int32_t tokens = workload.tokens == 0 ? all : std::min(all, workload.tokens);
    const int32_t decode = std::min(workload.decode_tokens, tokens);
    recording->sequences_ = {{tokens - decode, decode, 0}};
    return std::unique_ptr<TensorSource>(std::move(recording));
  }

  Recording(Safetensors file, const ModelGeometry& model) : file_(std::move(file)), model_(model) {}

  const float* q(int32_t layer, int32_t, int32_t position) const override {
    const LayerGeometry& g = geometry(layer);
    return rows(layer).q + int64_t{position} * g.q_heads * g.head_dim.qk;
  }
  const float* k(int32_t layer, int32_t, int32_t position) const override {
    const LayerGeometry& g = geometry(layer);
    return rows(layer).k + int64_t{position} * g.kv_heads * g.head_dim.qk;
  }
  const float* v(int32_t layer, int32_t, int32_t position) const override {
    const LayerGeometry& g = geometry(layer);
    return rows(layer).v + int64_t{position} * g.kv_heads * g.head_dim.v;
  }
  const float* wanted(int32_t layer, int32_t, int32_t position) const override {
    const LayerGeometry& g = geometry(layer);
    return rows(layer).out + int64_t{position} * g.q_heads * g.head_dim.v;
  }
  bool synthetic() const override { return false; }

 private:
  const LayerGeometry& geometry(int32_t layer) const {
    return model_.layers[static_cast<size_t>(layer)];
  }
  const LayerRows& rows(int32_t layer) const { return layers_[static_cast<size_t>(layer)]; }

  Error unfit(const std::string& what, std::string expected, std::string found) const {
    return Error{ErrorCode::kInvalid, file_.origin() + ", " + what, std::move(expected),
                 std::move(found),
                 "record model '" + model_.name + "' again, or name its geometry"};
  }

  Status read_layers() {
    const auto kind = file_.metadata().find("attnrt_recording");
    if (kind == file_.metadata().end() || kind->second != "1") {
      return unfit("__metadata__", "attnrt_recording: 1",
                   kind == file_.metadata().end() ? "none" : kind->second);
    }
    const StoredTensor* first = file_.find("layers.0.q");
    recorded_tokens_ = first == nullptr || first->shape.empty() ? 0 : first->shape[0];
    if (recorded_tokens_ < 1) return unfit("layers.0.q", "at least one token", "none");
    for (size_t i = 0; i < model_.layers.size(); ++i) {
      const LayerGeometry& g = model_.layers[i];
      const struct {
        const char* name;
        std::vector<int64_t> shape;
        const float* LayerRows::*rows;
      } tensors[] = {
          {"q", {recorded_tokens_, g.q_heads, g.head_dim.qk}, &LayerRows::q},
          {"k", {recorded_tokens_, g.kv_heads, g.head_dim.qk}, &LayerRows::k},
          {"v", {recorded_tokens_, g.kv_heads, g.head_dim.v}, &LayerRows::v},
          {"out", {recorded_tokens_, g.q_heads, g.head_dim.v}, &LayerRows::out},
      };
      layers_.emplace_back();
      for (const auto& t : tensors) {
        const std::string name = "layers." + std::to_string(i) + "." + t.name;
        const StoredTensor* stored = file_.find(name);
        if (stored == nullptr) return unfit(name, "F32 " + shape_text(t.shape), "no such tensor");
        if (stored->dtype != "F32" || stored->shape != t.shape) {
          return unfit(name, "F32 " + shape_text(t.shape),
                       stored->dtype + " " + shape_text(stored->shape));
        }
        layers_.back().*t.rows = reinterpret_cast<const float*>(stored->bytes.data());
      }
    }
    const std::string beyond = "layers." + std::to_string(model_.layers.size()) + ".q";
    if (file_.find(beyond) != nullptr) {
      return unfit(beyond, std::to_string(model_.layers.size()) + " layers", "more");
    }
    return Done{};
  }

  Safetensors file_;
  ModelGeometry model_;
  std::vector<LayerRows> layers_;
};

}  // namespace

Result<std::unique_ptr<TensorSource>> open_recording(const RecordedWorkload& workload,
                                                     const ModelGeometry& model) {
  return Recording::open(workload, model);
}

}  // namespace attnrt::runtime
