// A plugin opened on a device, and its ops: handles that end with their C++ objects.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attnrt/load.hpp"
#include "attnrt/plan.hpp"
#include "attnrt/plugin.h"
#include "attnrt/session.hpp"
#include "load/host.hpp"
#include "run/memory.hpp"

namespace attnrt::runtime {

// Devices whose memory the host reads and writes itself.
bool is_host(DeviceKind kind);

class Instance {
 public:
  // Errors: kPluginRefused; kInvalid: an option that it does not take.
  static Result<std::unique_ptr<Instance>> open(const LoadedPlugin& plugin, const Device& device,
                                                const SessionOptions& options);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() { table_->close(handle_); }

  const attnrt_plugin* table() const { return table_; }
  attnrt_instance* handle() const { return handle_; }
  const std::string& name() const { return name_; }
  // Null: none. Functions beyond the plugin's own table are null.
  const attnrt_device_service* service() const { return service_ ? &*service_ : nullptr; }
  PluginUse use() const;

 private:
  Instance(const LoadedPlugin& plugin, attnrt_instance* handle, std::unique_ptr<load::Host> host)
      : host_(std::move(host)),
        table_(plugin.table),
        handle_(handle),
        name_(plugin.name),
        path_(plugin.path) {}

  std::unique_ptr<load::Host> host_;  // the plugin holds on to it
  const attnrt_plugin* table_;
  attnrt_instance* handle_;
  std::string name_;
  std::string path_;
  std::optional<attnrt_device_service> service_;
};

// A prepared op, with the functions that the hot path calls.
class PreparedOp {
 public:
  // Layers of equal classes share one op. Errors: kPluginRefused, with layer, op and plugin.
  static Result<std::unique_ptr<PreparedOp>> prepare(Instance& instance, const std::string& kernel,
                                                     const attnrt_layer_class& layer_class,
                                                     int32_t layer, const attnrt_bounds& bounds);
  PreparedOp(const PreparedOp&) = delete;
  PreparedOp& operator=(const PreparedOp&) = delete;
  ~PreparedOp() { instance_.table()->release_op(handle); }

  bool same(const Instance& instance, const std::string& kernel,
            const attnrt_layer_class& layer_class) const;
  const Instance& instance() const { return instance_; }

  attnrt_op* handle = nullptr;
  decltype(attnrt_plugin::append) append = nullptr;
  decltype(attnrt_plugin::attend) attend = nullptr;
  decltype(attnrt_plugin::merge) merge = nullptr;
  attnrt_layer_class layer_class{};  // cache_format points into format_
  attnrt_workspace_sizes sizes{};

 private:
  PreparedOp(Instance& instance, std::string kernel, const attnrt_layer_class& c);

  Instance& instance_;
  std::string kernel_;
  std::string format_;
};

// What the plan decided for a layer's op, as the ABI says it. The format's name is the table's.
attnrt_layer_class layer_class_of(const LayerPlan& layer, const OpDecision& decision);

// "layer 4, decode, plugin 'cpu'"
std::string op_place(int32_t layer, int32_t op, std::string_view plugin);

}  // namespace attnrt::runtime
