// A host of tomorrow and the plugins of today: structs with fields that a plugin does not know are
// taken while those are zero, and refused when they are not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <optional>
#include <sstream>

#include "attnrt/load.hpp"
#include "load/host.hpp"
#include "load/plugin_call.hpp"
#include "support.hpp"

namespace attnrt::load {
namespace {

// A struct as a later header might have it: with one field more, 16 bytes wide.
template <class T>
struct Later {
  T known{};
  std::array<unsigned char, 16> field{};
  explicit Later(unsigned char value = 0) {
    known.struct_size = sizeof(Later);
    field.back() = value;
  }
};

enum class Grown { kNone, kDevice, kLayerClass, kBounds, kWorkspace, kBatch, kAppend, kAttend };

constexpr int kHeadDim = 64;
constexpr int kBlock = 16;

// One decode of one sequence of one token, f32, through every call that takes a growable struct.
// The struct that `grown` names has the value `field` in what the plugin does not know.
class Walk {
 public:
  Walk(const attnrt_plugin& table, const std::string& name, std::string append, std::string decode,
       Grown grown, unsigned char field)
      : table_(table),
        append_kernel_(std::move(append)),
        decode_kernel_(std::move(decode)),
        host_(name),
        grown_(grown),
        field_(field) {}

  // The first status that is not ok.
  attnrt_status run() {
    Later<attnrt_device> device = make<attnrt_device>(Grown::kDevice);
    device.known.kind = ATTNRT_DEVICE_CPU;
    attnrt_instance* instance = nullptr;
    attnrt_status status = table_.open(host_.table(), &device.known, &instance, nullptr);
    if (status != ATTNRT_OK) return status;
    status = with_op(instance, ATTNRT_OP_APPEND, append_kernel_,
                     [&](attnrt_op* op) { return append(op); });
    if (status == ATTNRT_OK) {
      status = with_op(instance, ATTNRT_OP_DECODE, decode_kernel_,
                       [&](attnrt_op* op) { return decode(op); });
    }
    table_.close(instance);
    return status;
  }
  const std::array<float, kHeadDim>& out() const { return out_; }
  const std::array<float, kHeadDim>& v() const { return v_; }

 private:
  template <class T>
  Later<T> make(Grown what) const {
    return Later<T>(grown_ == what ? field_ : 0);
  }

  template <class Body>
  attnrt_status with_op(attnrt_instance* instance, int32_t op, const std::string& kernel,
                        Body&& body) {
    Later<attnrt_layer_class> layer = make<attnrt_layer_class>(Grown::kLayerClass);
    layer.known.op = op;
    layer.known.q_heads = layer.known.kv_heads = 1;
    layer.known.head_dim_qk = layer.known.head_dim_v = kHeadDim;
    layer.known.q_dtype = layer.known.out_dtype = ATTNRT_DTYPE_F32;
    layer.known.cache_format = "f32";
    layer.known.block_size = kBlock;
    layer.known.layout = ATTNRT_LAYOUT_NHD;
    layer.known.cache_kind = ATTNRT_CACHE_SEPARATE;
    layer.known.features = ATTNRT_FEATURE_CAUSAL;
    attnrt_op* prepared = nullptr;
    attnrt_status status =
        table_.prepare(instance, kernel.c_str(), &layer.known, &prepared, nullptr);
    if (status != ATTNRT_OK) return status;
    status = body(prepared);
    table_.release_op(prepared);
    return status;
  }

  attnrt_cache_view cache() {
    attnrt_cache_view view{};
    const int64_t row = sizeof(float) * kHeadDim;
    view.k = {k_page_.data(), row * kBlock, row, row, nullptr, 0, 0, 0};
    view.v = {v_page_.data(), row * kBlock, row, row, nullptr, 0, 0, 0};
    view.blocks = 1;
    view.block_size = kBlock;
    view.heads = 1;
    return view;
  }

  static attnrt_tensor tensor(std::array<float, kHeadDim>& row) {
    return {row.data(), ATTNRT_DTYPE_F32, 3, {1, 1, kHeadDim, 0}, {kHeadDim, kHeadDim, 1, 0}};
  }

  attnrt_status append(attnrt_op* op) {
    for (int i = 0; i < kHeadDim; ++i) v_[static_cast<size_t>(i)] = static_cast<float>(i);
    Later<attnrt_append_args> args = make<attnrt_append_args>(Grown::kAppend);
    args.known.tokens = 1;
    args.known.k = tensor(k_);
    args.known.v = tensor(v_);
    args.known.slot_mapping = {&slot_, &slot_};
    args.known.cache = cache();
    return table_.append(op, &args.known, nullptr);
  }

  attnrt_status decode(attnrt_op* op) {
    Later<attnrt_bounds> bounds = make<attnrt_bounds>(Grown::kBounds);
    bounds.known.sequences = bounds.known.tokens = bounds.known.q_len = 1;
    bounds.known.kv_len = kBlock;
    Later<attnrt_workspace_sizes> sizes(0xa5);  // a plugin leaves what it does not know alone
    attnrt_status status = table_.workspace(op, &bounds.known, &sizes.known, nullptr);
    if (status != ATTNRT_OK) return status;
    EXPECT_EQ(sizes.known.struct_size, sizeof sizes);
    EXPECT_EQ(sizes.field.back(), 0xa5);
    Later<attnrt_workspace> workspace = make<attnrt_workspace>(Grown::kWorkspace);
    give(sizes.known.state, state_, workspace.known.state, workspace.known.state_bytes);
    give(sizes.known.scratch, scratch_, workspace.known.scratch, workspace.known.scratch_bytes);
    give(sizes.known.staging, staging_, workspace.known.staging, workspace.known.staging_bytes);

    Later<attnrt_batch> batch = make<attnrt_batch>(Grown::kBatch);
    batch.known.sequences = batch.known.tokens = batch.known.max_q_len = 1;
    batch.known.max_kv_len = 1;
    batch.known.q_start = {starts_.data(), starts_.data()};
    batch.known.kv_len = {&one_, &one_};
    batch.known.block_table = {&block_, &block_};
    batch.known.block_table_stride = 1;
    attnrt_schedule* schedule = nullptr;
    status = table_.schedule(op, &batch.known, &workspace.known, nullptr, &schedule, nullptr);
    if (status != ATTNRT_OK) return status;
    Later<attnrt_attend_args> args = make<attnrt_attend_args>(Grown::kAttend);
    args.known.q = tensor(q_);
    args.known.out = tensor(out_);
    args.known.cache = cache();
    args.known.scratch = workspace.known.scratch;
    status = table_.attend(op, schedule, &args.known, nullptr);
    table_.release_schedule(schedule);
    return status;
  }

  // Memory of the wanted size and alignment.
  static void give(const attnrt_area& area, std::vector<unsigned char>& memory, void*& pointer,
                   uint64_t& bytes) {
    const uint64_t alignment = std::max<uint64_t>(area.alignment, 1);
    memory.assign(area.bytes + alignment, 0);
    const auto address = reinterpret_cast<uintptr_t>(memory.data());
    pointer = memory.data() + (alignment - address % alignment) % alignment;
    bytes = area.bytes;
  }

  const attnrt_plugin& table_;
  std::string append_kernel_, decode_kernel_;
  Host host_;
  Grown grown_;
  unsigned char field_;

  std::vector<unsigned char> state_, scratch_, staging_;
  alignas(64) std::array<float, kHeadDim * kBlock> k_page_{}, v_page_{};
  alignas(64) std::array<float, kHeadDim> q_{}, k_{}, v_{}, out_{};
  int64_t slot_ = 0;
  std::array<int32_t, 2> starts_{0, 1};
  int32_t one_ = 1, block_ = 0;
};

// Every shipped plugin, and the one frozen at version 1.0.
std::vector<std::string> plugins() {
  std::vector<std::string> names;
  std::istringstream list(ATTNRT_SHIPPED_PLUGINS " fixture_frozen");
  for (std::string name; list >> name;) names.push_back(name);
  return names;
}

struct Chosen {
  const attnrt_plugin* table;
  std::string append, decode;
};

std::optional<std::string> kernel_for(const PluginRegistry& registry, const std::string& plugin,
                                      Op op) {
  Request request;
  request.device = parse_device("cpu", probe_host()).value();
  request.op = op;
  request.q = DType::kF32;
  request.kv = Format::kF32;
  request.head_dim = {kHeadDim, kHeadDim};
  request.q_heads = request.kv_heads = 1;
  Policy only;
  only.require = plugin;
  const Decision decision = select(request, registry.catalog(), only);
  if (!decision.chosen) return std::nullopt;
  const Candidate& chosen = decision.candidates[*decision.chosen];
  return registry.plugins()[chosen.plugin].manifest.kernels[chosen.kernel].name;
}

std::optional<Chosen> choose(const std::string& plugin) {
  SearchOptions options;
  options.path = {ATTNRT_BINARY_DIR "/plugins", ATTNRT_FIXTURES};
  static const PluginRegistry registry = PluginRegistry::scan(options);
  const auto append = kernel_for(registry, plugin, Op::kAppend);
  const auto decode = kernel_for(registry, plugin, Op::kDecode);
  if (!append || !decode) return std::nullopt;
  for (uint32_t i = 0; i < registry.plugins().size(); ++i) {
    if (registry.plugins()[i].manifest.name != plugin) continue;
    auto loaded = registry.load(i);
    if (!loaded) throw std::runtime_error(to_string(loaded.error()));
    return Chosen{loaded->table, *append, *decode};
  }
  return std::nullopt;
}

class Growth : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    chosen_ = choose(GetParam());
    if (!chosen_) GTEST_SKIP() << GetParam() << " serves no f32 decode on this machine";
  }
  std::optional<Chosen> chosen_;
};

TEST_P(Growth, FieldsOfTomorrowThatAreZeroMeanAsBefore) {
  Walk walk(*chosen_->table, GetParam(), chosen_->append, chosen_->decode, Grown::kNone, 0);
  ASSERT_EQ(walk.run(), ATTNRT_OK);
  EXPECT_EQ(walk.out(), walk.v()) << "one key has weight 1";
}

TEST_P(Growth, AFieldOfTomorrowThatIsSetIsRefused) {
  const std::pair<Grown, const char*> structs[] = {
      {Grown::kDevice, "attnrt_device"},     {Grown::kLayerClass, "attnrt_layer_class"},
      {Grown::kBounds, "attnrt_bounds"},     {Grown::kWorkspace, "attnrt_workspace"},
      {Grown::kBatch, "attnrt_batch"},       {Grown::kAppend, "attnrt_append_args"},
      {Grown::kAttend, "attnrt_attend_args"}};
  for (const auto& [grown, name] : structs) {
    Walk walk(*chosen_->table, GetParam(), chosen_->append, chosen_->decode, grown, 1);
    EXPECT_EQ(walk.run(), ATTNRT_UNSUPPORTED) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Plugins, Growth, ::testing::ValuesIn(plugins()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace attnrt::load
