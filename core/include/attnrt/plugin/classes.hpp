// What a plugin's author derives from: Instance, Op and Schedule.
//
// The wrapper owns the objects (unique_ptr) from creation to release. Override what the manifest's
// ops need; the rest answers ATTNRT_INTERNAL, since a call that the manifest does not list is a
// defect on one of the two sides. Every function may throw; see error.hpp. Structs are passed in as
// this header's version of them, whatever the caller's version was; enumerations have been checked
// to be known values. References are valid during the call only, except what plugin.h says about a
// batch's arrays and workspaces.
#ifndef ATTNRT_PLUGIN_CLASSES_HPP_
#define ATTNRT_PLUGIN_CLASSES_HPP_

#include <attnrt/plugin/host.hpp>
#include <attnrt/plugin/views.hpp>
#include <memory>

namespace attnrt::plugin {

class Schedule {
 public:
  Schedule() = default;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;
  virtual ~Schedule() = default;

  // The same memory and launches for another batch. Feature graph.
  virtual void reschedule(const attnrt_batch&, void* /*stream*/) {
    fail(ATTNRT_INTERNAL, "this plugin has no reschedule");
  }
};

class Op {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  // Sizes of state, scratch and staging; none by default. struct_size is filled in by the wrapper.
  virtual attnrt_workspace_sizes workspace(const attnrt_bounds&) {
    attnrt_workspace_sizes none{};
    none.state.alignment = none.scratch.alignment = none.staging.alignment = 1;
    return none;
  }
  virtual std::unique_ptr<Schedule> schedule(const attnrt_batch&, const attnrt_workspace&,
                                             void* /*stream*/) {
    fail(ATTNRT_INTERNAL, "this op has no schedule");
  }
  virtual void append(const attnrt_append_args&) { fail(ATTNRT_INTERNAL, "this op is not append"); }
  // The schedule is one that this op's schedule() made.
  virtual void attend(Schedule&, const attnrt_attend_args&) {
    fail(ATTNRT_INTERNAL, "this op is not prefill, decode or mixed");
  }
  virtual void merge(const attnrt_merge_args&) { fail(ATTNRT_INTERNAL, "this op is not merge"); }
};

class Instance {
 public:
  Instance() = default;
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  virtual ~Instance() = default;

  // kernel: a name from the manifest. Throw ATTNRT_UNSUPPORTED for a name that you do not know.
  virtual std::unique_ptr<Op> prepare(std::string_view kernel, const attnrt_layer_class&) = 0;

  // One line for people: what is in use. Empty: nothing to say.
  virtual std::string describe() { return {}; }

  // For a device that is not the host; it lives as long as the instance.
  virtual const attnrt_device_service* device_service() { return nullptr; }
};

}  // namespace attnrt::plugin

#endif  // ATTNRT_PLUGIN_CLASSES_HPP_
