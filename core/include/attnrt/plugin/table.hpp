// The C table over a plugin's classes: static functions that check, convert and catch.
#ifndef ATTNRT_PLUGIN_TABLE_HPP_
#define ATTNRT_PLUGIN_TABLE_HPP_

#include <attnrt/plugin/classes.hpp>
#include <attnrt/plugin/known.hpp>

namespace attnrt::plugin {

// The opaque handles of the C header are our objects' addresses.
inline Instance& as_cpp(attnrt_instance* p) {
  return *reinterpret_cast<Instance*>(p);
}
inline Op& as_cpp(attnrt_op* p) {
  return *reinterpret_cast<Op*>(p);
}
inline Schedule& as_cpp(attnrt_schedule* p) {
  return *reinterpret_cast<Schedule*>(p);
}

template <class Handle, class Object>
void hand_over(Handle** out, std::unique_ptr<Object> object) {
  require(out != nullptr, "the out parameter is null");
  if (!object) fail(ATTNRT_INTERNAL, "the plugin made no object");
  *out = reinterpret_cast<Handle*>(object.release());
}

template <class Handle>
void require_handle(Handle* handle, const char* name) {
  require(handle != nullptr, "the ", name, " is null");
}

template <class Plugin>
struct Table {
  static attnrt_status open(const attnrt_host* host, const attnrt_device* device,
                            attnrt_instance** out, attnrt_error* error) {
    return guarded(error, [&] {
      const Given checked(device, "device");
      check_device(*checked);
      std::unique_ptr<Instance> made = Plugin::open(Host(host), *checked);
      hand_over(out, std::move(made));
    });
  }
  static void close(attnrt_instance* instance) {
    if (instance != nullptr) delete &as_cpp(instance);
  }
  static attnrt_status prepare(attnrt_instance* instance, const char* kernel,
                               const attnrt_layer_class* layer, attnrt_op** out,
                               attnrt_error* error) {
    return guarded(error, [&] {
      require_handle(instance, "instance");
      require(kernel != nullptr, "the kernel's name is null");
      const Given checked(layer, "layer class");
      check_layer_class(*checked);
      hand_over(out, as_cpp(instance).prepare(kernel, *checked));
    });
  }
  static void release_op(attnrt_op* op) {
    if (op != nullptr) delete &as_cpp(op);
  }
  static attnrt_status workspace(attnrt_op* op, const attnrt_bounds* bounds,
                                 attnrt_workspace_sizes* out, attnrt_error* error) {
    return guarded(error, [&] {
      require_handle(op, "op");
      attnrt_workspace_sizes sizes = as_cpp(op).workspace(*Given(bounds, "bounds"));
      sizes.struct_size = sizeof(sizes);
      give(out, sizes, "sizes");
    });
  }
  static attnrt_status schedule(attnrt_op* op, const attnrt_batch* batch,
                                const attnrt_workspace* workspace, void* stream,
                                attnrt_schedule** out, attnrt_error* error) {
    return guarded(error, [&] {
      require_handle(op, "op");
      const Given checked(batch, "batch");
      hand_over(out, as_cpp(op).schedule(*checked, *Given(workspace, "workspace"), stream));
    });
  }
  static attnrt_status reschedule(attnrt_schedule* schedule, const attnrt_batch* batch,
                                  void* stream, attnrt_error* error) {
    return guarded(error, [&] {
      require_handle(schedule, "schedule");
      as_cpp(schedule).reschedule(*Given(batch, "batch"), stream);
    });
  }
  static void release_schedule(attnrt_schedule* schedule) {
    if (schedule != nullptr) delete &as_cpp(schedule);
  }
  static attnrt_status append(attnrt_op* op, const attnrt_append_args* args, attnrt_error* error) {
    return guarded(error, [&] {
      require_handle(op, "op");
      as_cpp(op).append(*Given(args, "append's arguments"));
    });
  }
  static attnrt_status attend(attnrt_op* op, attnrt_schedule* schedule,
                              const attnrt_attend_args* args, attnrt_error* error) {
    return guarded(error, [&] {
      require_handle(op, "op");
      require_handle(schedule, "schedule");
      as_cpp(op).attend(as_cpp(schedule), *Given(args, "attend's arguments"));
    });
  }
  static attnrt_status merge(attnrt_op* op, const attnrt_merge_args* args, attnrt_error* error) {
    return guarded(error, [&] {
      require_handle(op, "op");
      as_cpp(op).merge(*Given(args, "merge's arguments"));
    });
  }
  static const attnrt_device_service* device_service(attnrt_instance* instance) {
    return instance == nullptr ? nullptr : as_cpp(instance).device_service();
  }
  static attnrt_status describe(attnrt_instance* instance, char* text, uint64_t capacity) {
    attnrt_error error{text, capacity};
    return guarded(&error, [&] {
      require_handle(instance, "instance");
      write_text(text, capacity, as_cpp(instance).describe());
    });
  }

  static constexpr attnrt_plugin kFunctions = {.struct_size = sizeof(attnrt_plugin),
                                               .abi_minor = ATTNRT_ABI_MINOR,
                                               .open = open,
                                               .close = close,
                                               .prepare = prepare,
                                               .release_op = release_op,
                                               .workspace = workspace,
                                               .schedule = schedule,
                                               .reschedule = reschedule,
                                               .release_schedule = release_schedule,
                                               .append = append,
                                               .attend = attend,
                                               .merge = merge,
                                               .device_service = device_service,
                                               .describe = describe};
};

template <class Plugin>
attnrt_status entry(const attnrt_host* host, const attnrt_plugin** out, attnrt_error* error) {
  return guarded(error, [&] {
    const Given checked(host, "host", Unknown::kIgnored);
    require(out != nullptr, "the out parameter is null");
    *out = &Table<Plugin>::kFunctions;
  });
}

}  // namespace attnrt::plugin

#endif  // ATTNRT_PLUGIN_TABLE_HPP_
