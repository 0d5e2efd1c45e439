// The only unit that includes cudnn-frontend.
#include "graph.hpp"

#include <cudnn_frontend.h>
#include <dlfcn.h>

#include <attnrt/plugin/error.hpp>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "device_properties.hpp"

namespace cudnn_frontend {
// The frontend looks functions up in it.
void* cudnn_dlhandle = nullptr;
}  // namespace cudnn_frontend

namespace attnrt::cudnn {
namespace {

namespace fe = cudnn_frontend;
using plugin::fail;

constexpr const char* kLibrary = "libcudnn.so.9";
constexpr size_t kLeastVersion = 91900;  // older ones lack causal masks over ragged, paged batches

enum Uid : int64_t {
  kQ = 1,
  kK,
  kV,
  kOut,
  kStats,
  kQLengths,
  kKvLengths,
  kQOffsets,
  kOutOffsets,
  kStatsOffsets,
  kKTable,
  kVTable
};

std::string text_of(size_t version) {
  return plugin::message("cuDNN ", version / 10000, ".", version / 100 % 100, ".", version % 100);
}

// Once a process: plugins are never unloaded.
void load_library() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (fe::cudnn_dlhandle == nullptr) {
    fe::cudnn_dlhandle = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (fe::cudnn_dlhandle == nullptr) {
      fail(ATTNRT_UNAVAILABLE, "cuDNN can't be loaded: ", dlerror(),
           "; install cuDNN 9.19 or newer where the loader finds it");
    }
  }
  const size_t version = fe::detail::get_backend_version();
  if (version < kLeastVersion) {
    fail(ATTNRT_UNAVAILABLE, kLibrary, " is ", text_of(version), ", expected ",
         text_of(kLeastVersion), " or newer");
  }
}

// What cuDNN takes to say yes to a graph even where it only asks for a device's properties. It
// opens and closes both for every question: to hold them makes questions five times faster.
void hold_compiler() {
  static void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) {
    fail(ATTNRT_UNAVAILABLE,
         "cuDNN answers nothing without libcuda.so.1; the CUDA toolkit's stub, "
         "lib64/stubs/libcuda.so, will do under that name");
  }
  static void* const compiler =
      dlopen(plugin::message("libnvrtc.so.", CUDART_VERSION / 1000).c_str(), RTLD_NOW | RTLD_LOCAL);
  static_cast<void>(compiler);
}

using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;
using Sizes = std::vector<int64_t>;

Tensor add(fe::graph::Graph& graph, Uid uid, const char* name, fe::DataType_t type,
           const Sizes& dims, const Sizes& strides) {
  return graph.tensor(fe::graph::Tensor_attributes()
                          .set_uid(uid)
                          .set_name(name)
                          .set_data_type(type)
                          .set_dim(dims)
                          .set_stride(strides));
}

Tensor add_integers(fe::graph::Graph& graph, Uid uid, const char* name, int64_t n) {
  return add(graph, uid, name, fe::DataType_t::INT32, {n, 1, 1, 1}, {1, 1, 1, 1});
}

// Rows of heads, packed: the strides of a tensor [b, h, s, d] whose token is heads * d elements.
Sizes packed(int64_t heads, int64_t s, int64_t d) {
  return {s * heads * d, d, heads * d, 1};
}

Sizes page_strides(const LayerShape& layer, int64_t d) {
  const int64_t heads = layer.kv_heads;
  const int64_t page = layer.block_size;
  if (layer.hnd) return {heads * page * d, page * d, d, 1};
  return {page * heads * d, d, heads * d, 1};
}

fe::graph::SDPA_attributes attention(const LayerShape& layer, const BatchShape& batch) {
  fe::graph::SDPA_attributes a;
  a.set_name("attention")
      .set_generate_stats(layer.lse)
      .set_attn_scale(layer.softmax_scale)
      .set_padding_mask(true)
      .set_paged_attention_max_seq_len_kv(batch.width * layer.block_size);
  // A query alone in its sequence stands at the end: it sees all keys.
  const bool causal = layer.causal && batch.q_len > 1;
  if (causal || layer.window > 0) {
    a.set_diagonal_alignment(fe::DiagonalAlignment_t::BOTTOM_RIGHT);
  }
  if (causal) a.set_diagonal_band_right_bound(0);
  // A window of cuDNN's counts the query's own position too, as ours does: keys from q - (bound -
  // 1) on.
  if (layer.window > 0) a.set_diagonal_band_left_bound(layer.window);
  return a;
}

void add_attention(fe::graph::Graph& graph, const LayerShape& layer, const BatchShape& batch) {
  const fe::DataType_t type = layer.f16 ? fe::DataType_t::HALF : fe::DataType_t::BFLOAT16;
  graph.set_io_data_type(type)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  const int64_t b = batch.sequences;
  const int64_t s = batch.q_len;
  const int64_t heads = layer.q_heads;
  Tensor q = add(graph, kQ, "q", type, {b, heads, s, layer.dim_qk}, packed(heads, s, layer.dim_qk));
  q->set_ragged_offset(add_integers(graph, kQOffsets, "q_offsets", b + 1));
  Tensor k = add(graph, kK, "k", type, {kMostPages, layer.kv_heads, layer.block_size, layer.dim_qk},
                 page_strides(layer, layer.dim_qk));
  Tensor v = add(graph, kV, "v", type, {kMostPages, layer.kv_heads, layer.block_size, layer.dim_v},
                 page_strides(layer, layer.dim_v));
  const Sizes table{b, 1, batch.width, 1};
  const Sizes table_strides{batch.width, batch.width, 1, 1};
  auto a = attention(layer, batch);
  a.set_seq_len_q(add_integers(graph, kQLengths, "q_lengths", b))
      .set_seq_len_kv(add_integers(graph, kKvLengths, "kv_lengths", b))
      .set_paged_attention_k_table(
          add(graph, kKTable, "k_table", fe::DataType_t::INT32, table, table_strides))
      .set_paged_attention_v_table(
          add(graph, kVTable, "v_table", fe::DataType_t::INT32, table, table_strides));
  auto [out, stats] = graph.sdpa(q, k, v, std::move(a));
  out->set_output(true)
      .set_uid(kOut)
      .set_data_type(type)
      .set_dim({b, heads, s, layer.dim_v})
      .set_stride(packed(heads, s, layer.dim_v))
      .set_ragged_offset(add_integers(graph, kOutOffsets, "out_offsets", b + 1));
  if (layer.lse) {
    stats->set_output(true)
        .set_uid(kStats)
        .set_data_type(fe::DataType_t::FLOAT)
        .set_dim({b, heads, s, 1})
        .set_stride(packed(heads, s, 1))
        .set_ragged_offset(add_integers(graph, kStatsOffsets, "stats_offsets", b + 1));
  }
}

// The frontend's steps one after the other; the first that fails says why.
fe::error_t check(fe::graph::Graph& graph, cudnnHandle_t handle) {
  fe::error_t status = graph.validate();
  if (status.is_good()) status = graph.build_operation_graph(handle);
  if (status.is_good()) status = graph.create_execution_plans({fe::HeurMode_t::A});
  if (status.is_good()) status = graph.check_support();
  return status;
}

void check_status(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  fail(status == CUDNN_STATUS_ALLOC_FAILED ? ATTNRT_OUT_OF_MEMORY : ATTNRT_DEVICE_ERROR, what, ": ",
       fe::detail::get_error_string(status));
}

class CudnnPlan : public Plan {
 public:
  CudnnPlan(std::unique_ptr<fe::graph::Graph> graph, cudnnHandle_t handle, uint64_t workspace,
            bool lse)
      : graph_(std::move(graph)), handle_(handle), workspace_bytes_(workspace), lse_(lse) {}

  uint64_t workspace_bytes() const override { return workspace_bytes_; }

  void run(const Pointers& p, void* stream) override {
    check_status(fe::detail::set_stream(handle_, static_cast<cudaStream_t>(stream)),
                 "cudnnSetStream");
    pack_[kQ] = p.q;
    pack_[kK] = p.k;
    pack_[kV] = p.v;
    pack_[kOut] = p.out;
    pack_[kQLengths] = p.q_lengths;
    pack_[kKvLengths] = p.kv_lengths;
    pack_[kQOffsets] = p.q_offsets;
    pack_[kOutOffsets] = p.out_offsets;
    pack_[kKTable] = p.k_table;
    pack_[kVTable] = p.v_table;
    if (lse_) {
      pack_[kStats] = p.stats;
      pack_[kStatsOffsets] = p.stats_offsets;
    }
    fe::error_t status = graph_->execute(handle_, pack_, p.workspace);
    if (status.is_bad()) {
      fail(ATTNRT_DEVICE_ERROR, "cuDNN could not start its plan: ", status.get_message());
    }
  }

 private:
  std::unique_ptr<fe::graph::Graph> graph_;
  cudnnHandle_t handle_;
  uint64_t workspace_bytes_;
  bool lse_;
  std::unordered_map<int64_t, void*> pack_;
};

class Cudnn : public Library {
 public:
  explicit Cudnn(int32_t sm) : sm_(sm) {
    check_status(fe::detail::create_handle(&handle_), "cudnnCreate");
  }
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;
  ~Cudnn() override { static_cast<void>(fe::detail::destroy_handle(handle_)); }

  std::unique_ptr<Plan> make_plan(const LayerShape& layer, const BatchShape& batch) override {
    auto graph = std::make_unique<fe::graph::Graph>();
    if (sm_ > 0) graph->set_sm_version(sm_);
    add_attention(*graph, layer, batch);
    fe::error_t status = check(*graph, handle_);
    // The first of its plans that can be built, in its own order of speed.
    if (status.is_good()) status = graph->build_plans(fe::BuildPlanPolicy_t::HEURISTICS_CHOICE);
    int64_t workspace = 0;
    if (status.is_good()) status = graph->get_workspace_size(workspace);
    if (status.is_bad()) {
      fail(ATTNRT_UNSUPPORTED, "cuDNN has no plan for ", batch.sequences, " sequences of ",
           batch.q_len, " query tokens and ", batch.width, " pages: ", status.get_message());
    }
    return std::make_unique<CudnnPlan>(std::move(graph), handle_, static_cast<uint64_t>(workspace),
                                       layer.lse);
  }

 private:
  cudnnHandle_t handle_ = nullptr;
  int32_t sm_;
};

}  // namespace

std::unique_ptr<Library> open_library(int32_t sm) {
  load_library();
  return std::make_unique<Cudnn>(sm);
}

std::string library_version() {
  load_library();
  return text_of(fe::detail::get_backend_version());
}

std::string why_unsupported(const LayerShape& layer, const BatchShape& batch, int32_t sm) {
  load_library();
  hold_compiler();
  const std::string text = device_properties(sm);
  auto properties = std::make_shared<fe::DeviceProperties>();
  fe::error_t status = properties->deserialize({text.begin(), text.end()});
  if (status.is_bad()) {
    fail(ATTNRT_INTERNAL, "cuDNN does not take the properties of sm_", sm, ": ",
         status.get_message());
  }
  fe::graph::Graph graph;
  graph.set_device_properties(properties);
  graph.set_sm_version(sm);  // nodes take it when they are added
  add_attention(graph, layer, batch);
  status = check(graph, nullptr);
  return status.is_bad() ? status.get_message() : std::string();
}

}  // namespace attnrt::cudnn
