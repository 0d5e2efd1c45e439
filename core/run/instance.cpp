#include "run/instance.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "load/plugin_call.hpp"
#include "run/option_refusal.hpp"
#include "run/plugin_source.hpp"

namespace attnrt::runtime {
namespace {

const PluginOptions* options_of(const SessionOptions& options, const std::string& plugin) {
  for (const auto& [name, values] : options.plugin_options) {
    if (name == plugin) return &values;
  }
  return nullptr;
}

Error incomplete(const std::string& where, const std::string& function) {
  return Error{ErrorCode::kPluginRefused, where, "the function " + function,
               "its table ends before it, or it is null",
               "report the defect to the plugin's vendor, or deny the plugin"};
}

// As much of the plugin's table as there is.
std::optional<attnrt_device_service> service_of(const attnrt_plugin* table,
                                                attnrt_instance* instance) {
  auto* function = function_of(table, &attnrt_plugin::device_service);
  const attnrt_device_service* given = function == nullptr ? nullptr : function(instance);
  if (given == nullptr) return std::nullopt;
  attnrt_device_service service{};
  std::memcpy(&service, given, std::min<size_t>(sizeof service, given->struct_size));
  service.struct_size = sizeof service;
  return service;
}

// What a session can't do without.
bool complete(const attnrt_device_service& s) {
  return s.synchronize != nullptr && s.allocate != nullptr && s.release != nullptr &&
         s.allocate_pinned != nullptr && s.release_pinned != nullptr && s.copy != nullptr &&
         s.zero != nullptr;
}

}  // namespace

bool is_host(DeviceKind kind) {
  return kind == DeviceKind::kCpu || kind == DeviceKind::kSimt;
}

Result<std::unique_ptr<Instance>> Instance::open(const LoadedPlugin& plugin, const Device& device,
                                                 const SessionOptions& options) {
  const std::string where = "plugin '" + plugin.name + "' on " + to_string(device);
  static const PluginOptions kNone;
  const PluginOptions* values = options_of(options, plugin.name);
  if (values == nullptr) values = &kNone;
  std::vector<attnrt_option> given;
  for (const auto& [key, value] : *values) given.push_back({key.c_str(), value.c_str()});
  attnrt_device d{};
  d.struct_size = sizeof d;
  d.kind = static_cast<int32_t>(device.kind);
  d.ordinal = device.ordinal < 0 ? 0 : device.ordinal;
  d.sm = device.sm;
  d.gfx = device.gfx.empty() ? nullptr : device.gfx.c_str();
  d.options = given.empty() ? nullptr : given.data();
  d.option_count = given.size();
  auto host = std::make_unique<load::Host>(
      plugin.name,
      load::LentThreads{options.parallel_for, options.parallel_for_ctx, options.threads});
  attnrt_instance* handle = nullptr;
  std::optional<Error> option;
  Status opened = load::call_plugin(where, "open", [&](attnrt_error* error) {
    const attnrt_status status = plugin.table->open(host->table(), &d, &handle, error);
    if (status == ATTNRT_OK) return status;
    const std::string_view text(error->text, ::strnlen(error->text, error->capacity));
    option = option_refusal(status, text, plugin.name, *values, options);
    return status;
  });
  if (!opened) return option ? *option : opened.error();
  std::unique_ptr<Instance> instance(new Instance(plugin, handle, std::move(host)));
  if (device.kind == DeviceKind::kCpu) return instance;
  instance->service_ = service_of(plugin.table, handle);
  const bool spared = is_host(device.kind) && !instance->service_;
  if (spared || (instance->service_ && complete(*instance->service_))) return instance;
  return incomplete(where, "device_service");
}

PluginUse Instance::use() const {
  PluginUse use{name_, path_, ""};
  std::array<char, 256> text{};
  auto* describe = function_of(table_, &attnrt_plugin::describe);
  if (describe == nullptr || describe(handle_, text.data(), text.size()) != ATTNRT_OK) return use;
  text.back() = '\0';
  use.description = text.data();
  return use;
}

PreparedOp::PreparedOp(Instance& instance, std::string kernel, const attnrt_layer_class& c)
    : append(function_of(instance.table(), &attnrt_plugin::append)),
      attend(function_of(instance.table(), &attnrt_plugin::attend)),
      merge(function_of(instance.table(), &attnrt_plugin::merge)),
      layer_class(c),
      instance_(instance),
      kernel_(std::move(kernel)),
      format_(c.cache_format) {
  layer_class.cache_format = format_.c_str();
}

Result<std::unique_ptr<PreparedOp>> PreparedOp::prepare(Instance& instance,
                                                        const std::string& kernel,
                                                        const attnrt_layer_class& layer_class,
                                                        int32_t layer,
                                                        const attnrt_bounds& bounds) {
  const std::string where = op_place(layer, layer_class.op, instance.name());
  attnrt_op* handle = nullptr;
  Status prepared = load::call_plugin(where, "prepare", [&](attnrt_error* error) {
    return instance.table()->prepare(instance.handle(), kernel.c_str(), &layer_class, &handle,
                                     error);
  });
  if (!prepared) return prepared.error();
  std::unique_ptr<PreparedOp> op(new PreparedOp(instance, kernel, layer_class));
  op->handle = handle;
  op->sizes.struct_size = sizeof op->sizes;
  Status sized = load::call_plugin(where, "workspace", [&](attnrt_error* error) {
    return instance.table()->workspace(handle, &bounds, &op->sizes, error);
  });
  if (!sized) return sized.error();
  const bool appends = layer_class.op == ATTNRT_OP_APPEND;
  const bool merges = layer_class.op == ATTNRT_OP_MERGE;
  if (appends && op->append == nullptr) return incomplete(where, "append");
  if (merges && op->merge == nullptr) return incomplete(where, "merge");
  if (!appends && !merges && op->attend == nullptr) return incomplete(where, "attend");
  return op;
}

bool PreparedOp::same(const Instance& instance, const std::string& kernel,
                      const attnrt_layer_class& c) const {
  const attnrt_layer_class& m = layer_class;
  return &instance == &instance_ && kernel == kernel_ && c.op == m.op && c.q_heads == m.q_heads &&
         c.kv_heads == m.kv_heads && c.head_dim_qk == m.head_dim_qk &&
         c.head_dim_v == m.head_dim_v && c.q_dtype == m.q_dtype && c.out_dtype == m.out_dtype &&
         format_ == c.cache_format && c.block_size == m.block_size && c.layout == m.layout &&
         c.cache_kind == m.cache_kind && c.softmax_scale == m.softmax_scale &&
         c.features == m.features && c.window == m.window && c.softcap == m.softcap;
}

attnrt_layer_class layer_class_of(const LayerPlan& layer, const OpDecision& decision) {
  const Request r = normalised(decision.request);  // only what this op has a use for
  attnrt_layer_class c{};
  c.struct_size = sizeof c;
  c.op = static_cast<int32_t>(decision.op);
  c.q_heads = r.q_heads;
  c.kv_heads = r.kv_heads;
  c.head_dim_qk = r.head_dim.qk;
  c.head_dim_v = r.head_dim.v;
  c.q_dtype = static_cast<int32_t>(r.q);
  c.out_dtype = static_cast<int32_t>(r.out.value_or(r.q));
  c.cache_format = name(r.kv).data();
  c.block_size = r.block_size;
  c.layout = static_cast<int32_t>(r.layout);
  c.cache_kind = static_cast<int32_t>(r.cache);
  c.softmax_scale = layer.geometry.softmax_scale;
  c.features = r.features.bits();
  c.window = r.features.contains(Feature::kWindow) ? layer.geometry.window : 0;
  c.softcap = r.features.contains(Feature::kSoftcap) ? layer.geometry.softcap : 0;
  const bool attends = decision.op != Op::kAppend && decision.op != Op::kMerge;
  if (!attends) c.softmax_scale = 0;  // so that layers share the op
  return c;
}

std::string op_place(int32_t layer, int32_t op, std::string_view plugin) {
  return "layer " + std::to_string(layer) + ", " + std::string(name(static_cast<Op>(op))) +
         ", plugin '" + std::string(plugin) + "'";
}

}  // namespace attnrt::runtime
