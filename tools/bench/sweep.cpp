#include "bench/sweep.hpp"

#include <algorithm>
#include <new>
#include <system_error>

#include "bench/device/copy_limit.hpp"
#include "bench/machine/crew.hpp"
#include "bench/machine/huge_pages.hpp"

namespace attnrt::bench {
namespace {

// More than twice the caches of any GPU of today.
constexpr int64_t kDeviceColdBytes = int64_t{256} << 20;

// A device's own error doesn't say what it was about.
Error in_case(Error error, const CaseOptions& options) {
  if (error.where != "the device") return error;
  error.where += ", " + options.shape.name + ", " + options.format.text;
  return error;
}

class Sweep {
 public:
  Sweep(const BenchConfig& config, const PluginRegistry& registry, const HostFacts& host,
        const Progress& progress)
      : config_(config), registry_(registry), host_(host), progress_(progress) {
    if (on_cpu()) caches_ = cache_sizes();
    walked_ = config.effort.kv_mib > 0 ? int64_t{config.effort.kv_mib} << 20 : cold_kv_bytes();
  }

  Result<SweepResult> run() {
    if (Status s = check_config(); !s.ok()) return s.error();
    if (Status s = plan_all(); !s.ok()) return s.error();
    result_.machine = host_.cpu_name;
    if (!on_cpu()) {
      result_.device = to_string(config_.device);
      if (Status s = run_device(); !s.ok()) return s.error();
      return std::move(result_);
    }
    for (const int32_t threads : threads_) {
      if (Status s = run_threads(threads); !s.ok()) return s.error();
    }
    return std::move(result_);
  }

 private:
  bool on_cpu() const { return config_.device.kind == DeviceKind::kCpu; }
  int64_t cold_kv_bytes() const {
    return on_cpu() ? cold_bytes(caches_, available_memory()) : kDeviceColdBytes;
  }

  Status check_config() {
    // What simt:sm_80 plays is of any machine.
    if (config_.device.kind != DeviceKind::kSimt && config_.device.ordinal < 0) {
      return Error{ErrorCode::kInvalid, place_of(config_.places, "device"),
                   "a device of this machine: cpu, cuda:0, …",
                   to_string(config_.device) + ", which can only be planned for",
                   "measure on a machine that has it"};
    }
    RunConfig named;
    named.where = config_.where;
    named.device = config_.device;
    named.plugins = config_.plugins;
    named.places = config_.places;
    if (Status s = check_plugin_names(named, registry_.catalog()); !s.ok()) return s;
    for (const std::string& backend : config_.backends) {
      if (Status s = check_backend(backend); !s.ok()) return s;
    }
    return check_threads();
  }

  Status check_threads() {
    for (const int32_t n : config_.threads) {
      if (on_cpu()) threads_.push_back(n > 0 ? n : usable_cpus());
      if (on_cpu() || n == 0) continue;
      return Error{ErrorCode::kInvalid, place_of(config_.places, "bench.threads"),
                   "no threads with a device that is not the CPU", std::to_string(n),
                   "leave them out: the device's work is started by one"};
    }
    if (!on_cpu()) threads_ = {1};
    return Done{};
  }

  Status check_backend(const std::string& backend) const {
    if (const RefusedPlugin* refused = registry_.find_refused(backend)) return refused->reason;
    Policy named = config_.plugins.policy_for(config_.device.kind);
    named.prefer.clear();
    named.require = backend;
    Status sound = check(named, registry_.catalog());
    if (sound.ok()) return sound;
    Error error = std::move(sound).error();
    error.where = place_of(config_.places, "bench.backends");
    return error;
  }

  CaseOptions case_of(const BenchShape& shape, const Spelling& format,
                      const std::string& backend) const {
    CaseOptions options;
    options.shape = shape;
    options.format = format;
    options.backend = backend;
    options.layout = config_.layout;
    options.device = config_.device;
    options.plugins = config_.plugins;
    options.walked_bytes = walked_;
    options.seed = config_.seed;
    return options;
  }

  // A backend that can't serve is left out where another one can.
  Status plan_all() {
    const std::vector<std::string> chosen{""};
    const auto& backends = config_.backends.empty() ? chosen : config_.backends;
    for (const BenchShape& shape : config_.shapes) {
      for (const Spelling& format : config_.formats) {
        const size_t before = cases_.size();
        std::vector<Error> reasons;
        for (const std::string& backend : backends) {
          CaseOptions options = case_of(shape, format, backend);
          Result<CasePlan> plan = plan_case(options, registry_.catalog());
          if (plan.ok()) cases_.push_back(std::move(options));
          if (!plan.ok()) reasons.push_back(std::move(plan).error());
        }
        if (cases_.size() == before) return reasons.front();
        result_.unserved.insert(result_.unserved.end(), reasons.begin(), reasons.end());
      }
    }
    return Done{};
  }

  Status run_threads(int32_t threads) {
    LimitOptions options;
    options.threads = threads;
    options.memory_bytes = cold_bytes(caches_, available_memory());
    options.cpu_features = host_.cpu_features;
    options.caches = caches_;
    tell("the machine's limits, " + std::to_string(threads) + " threads");
    MachineLimits limits = measure_limits(options);
    const size_t first = result_.figures.size();
    for (const CaseOptions& planned : cases_) {
      CaseOptions one = planned;
      one.threads = threads;
      tell(one.shape.name + ", " + one.format.text);
      if (Status s = run_case(one); !s.ok()) return s;
      ++done_;
    }
    tell("memory once more");
    measure_memory_again(options, limits);
    for (size_t i = first; i < result_.figures.size(); ++i) {
      Figure& figure = result_.figures[i];
      figure.limit = binding_limit(figure.work, figure.plan.q, limits);
    }
    result_.limits.push_back(std::move(limits));
    return Done{};
  }

  // Each case measures the limit anew, in its own session; the best one is the device's.
  Status run_device() {
    MachineLimits limits;
    limits.read.push_back({"copy", 0, 0, {}, -1});
    for (const CaseOptions& planned : cases_) {
      tell(planned.shape.name + ", " + planned.format.text);
      if (Status s = run_case(planned, &limits.read.front()); !s.ok()) return s;
      ++done_;
    }
    for (Figure& f : result_.figures) f.limit = device_limit(f.work, f.shape.op, limits);
    result_.limits.push_back(std::move(limits));
    return Done{};
  }

  // Calls of a whole round as one graph: as many as walk through all of the KV.
  Result<Timing> time_on_device(Case& one, ReadLimit& copy) {
    const Result<ReadLimit> measured = measure_copy(one.stream(), walked_);
    if (!measured.ok()) return measured.error();
    if (measured->gb_s > copy.gb_s) copy = *measured;
    const int64_t calls = one.calls_a_round();
    const Result<std::unique_ptr<Replay>> replay = Replay::capture(one.stream(), [&]() -> Status {
      for (int64_t i = 0; i < calls; ++i) {
        if (Status s = one.attend(); !s.ok()) return s;
      }
      return Done{};
    });
    if (!replay.ok()) return replay.error();
    return measure(config_.effort, **replay, calls);
  }

  // copy: of a device, which becomes the better of itself and what is measured here; null: the CPU.
  Status run_case(const CaseOptions& options, ReadLimit* copy = nullptr) {
    Result<std::unique_ptr<Case>> opened = Case::open(options, registry_);
    if (!opened.ok()) return in_case(std::move(opened).error(), options);
    Case& one = **opened;
    Result<Timing> timing = copy == nullptr ? measure(config_.effort, [&] { return one.attend(); })
                                            : time_on_device(one, *copy);
    if (!timing.ok()) return in_case(std::move(timing).error(), options);
    if (Status s = one.check_output(); !s.ok()) return s;
    Figure figure;
    figure.shape = options.shape;
    figure.format = options.format.text;
    figure.plan = one.plan();
    figure.threads = options.threads;
    figure.timing = *timing;
    figure.work = work_of(options.shape, figure.plan.kv, figure.plan.cache);
    figure.walked_bytes = one.walked_bytes();
    figure.huge_pages = one.huge_pages();
    figure.description = one.description();
    result_.figures.push_back(std::move(figure));
    return Done{};
  }

  void tell(const std::string& what) const {
    const auto all = static_cast<double>(cases_.size() * threads_.size());
    if (progress_) progress_(what, static_cast<double>(done_) / std::max(all, 1.0));
  }

  const BenchConfig& config_;
  const PluginRegistry& registry_;
  const HostFacts& host_;
  const Progress& progress_;
  CacheSizes caches_;
  int64_t walked_ = 0;
  std::vector<int32_t> threads_;
  std::vector<CaseOptions> cases_;
  size_t done_ = 0;
  SweepResult result_;
};

}  // namespace

Result<SweepResult> sweep(const BenchConfig& config, const PluginRegistry& registry,
                          const HostFacts& host, const Progress& progress) {
  try {
    return Sweep(config, registry, host, progress).run();
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kInternal, "bench", "memory for the shape's tensors and caches",
                 "the system has not got it", "measure smaller shapes, or set kv_mib"};
  } catch (const std::system_error& e) {
    return Error{ErrorCode::kInternal, "bench", "threads", e.what(), "ask for fewer threads"};
  }
}

}  // namespace attnrt::bench
