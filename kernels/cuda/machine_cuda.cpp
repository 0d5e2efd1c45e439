// The device as the CUDA runtime has it.
#include <cuda_runtime.h>

#include "kernels/cuda/machine.hpp"

namespace attnrt::cuda {
namespace {

using plugin::fail;

// Throws for what the runtime refuses; `what` says who asked.
void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // or the next call would report it again
  fail(error == cudaErrorMemoryAllocation ? ATTNRT_OUT_OF_MEMORY : ATTNRT_DEVICE_ERROR, what, ": ",
       cudaGetErrorString(error));
}

int32_t attribute(cudaDeviceAttr which, int32_t ordinal) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, ordinal), "cudaDeviceGetAttribute");
  return value;
}

int32_t current_device() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  return device;
}

// Runs body with the instance's device as the current one: its null stream is meant, and its
// memory.
template <class Body>
attnrt_status on_device(attnrt_instance* instance, attnrt_error* error, Body body) {
  return plugin::guarded(error, [&] {
    plugin::require_handle(instance, "instance");
    static_cast<MachineInstance&>(plugin::as_cpp(instance)).machine().use(body);
  });
}

// The launches that the stream has captured, ready to be replayed.
cudaGraphExec_t end_capture(cudaStream_t stream) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t ready = nullptr;
  const cudaError_t instantiated = cudaGraphInstantiate(&ready, graph, 0);
  const cudaError_t destroyed = cudaGraphDestroy(graph);
  check(instantiated, "cudaGraphInstantiate");
  check(destroyed, "cudaGraphDestroy");
  return ready;
}

const attnrt_device_service kService = {
    .struct_size = sizeof(attnrt_device_service),
    .reserved = 0,
    .allocate =
        [](attnrt_instance* instance, uint64_t bytes, void** out, attnrt_error* error) {
          return on_device(instance, error, [&] { check(cudaMalloc(out, bytes), "cudaMalloc"); });
        },
    .release =
        [](attnrt_instance* instance, void* memory, attnrt_error* error) {
          return on_device(instance, error, [&] { check(cudaFree(memory), "cudaFree"); });
        },
    .allocate_pinned =
        [](attnrt_instance* instance, uint64_t bytes, void** out, attnrt_error* error) {
          return on_device(instance, error,
                           [&] { check(cudaMallocHost(out, bytes), "cudaMallocHost"); });
        },
    .release_pinned =
        [](attnrt_instance* instance, void* memory, attnrt_error* error) {
          return on_device(instance, error, [&] { check(cudaFreeHost(memory), "cudaFreeHost"); });
        },
    .copy =
        [](attnrt_instance* instance, void* to, const void* from, uint64_t bytes, void* stream,
           attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault,
                                  static_cast<cudaStream_t>(stream)),
                  "cudaMemcpyAsync");
          });
        },
    .zero =
        [](attnrt_instance* instance, void* memory, uint64_t bytes, void* stream,
           attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaMemsetAsync(memory, 0, bytes, static_cast<cudaStream_t>(stream)),
                  "cudaMemsetAsync");
          });
        },
    .create_stream =
        [](attnrt_instance* instance, void** out, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(out),
                                            cudaStreamNonBlocking),
                  "cudaStreamCreate");
          });
        },
    .destroy_stream =
        [](attnrt_instance* instance, void* stream, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaStreamDestroy(static_cast<cudaStream_t>(stream)), "cudaStreamDestroy");
          });
        },
    .create_event =
        [](attnrt_instance* instance, void** out, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaEventCreate(reinterpret_cast<cudaEvent_t*>(out)), "cudaEventCreate");
          });
        },
    .destroy_event =
        [](attnrt_instance* instance, void* event, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaEventDestroy(static_cast<cudaEvent_t>(event)), "cudaEventDestroy");
          });
        },
    .record_event =
        [](attnrt_instance* instance, void* event, void* stream, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(
                cudaEventRecord(static_cast<cudaEvent_t>(event), static_cast<cudaStream_t>(stream)),
                "cudaEventRecord");
          });
        },
    .wait_event =
        [](attnrt_instance* instance, void* event, void* stream, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaStreamWaitEvent(static_cast<cudaStream_t>(stream),
                                      static_cast<cudaEvent_t>(event), 0),
                  "cudaStreamWaitEvent");
          });
        },
    .elapsed_ms =
        [](attnrt_instance* instance, void* from, void* to, float* out, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaEventElapsedTime(out, static_cast<cudaEvent_t>(from),
                                       static_cast<cudaEvent_t>(to)),
                  "cudaEventElapsedTime");
          });
        },
    .synchronize =
        [](attnrt_instance* instance, void* stream, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)),
                  "cudaStreamSynchronize");
          });
        },
    .begin_capture =
        [](attnrt_instance* instance, void* stream, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaStreamBeginCapture(static_cast<cudaStream_t>(stream),
                                         cudaStreamCaptureModeThreadLocal),
                  "cudaStreamBeginCapture");
          });
        },
    .end_capture =
        [](attnrt_instance* instance, void* stream, void** out, attnrt_error* error) {
          return on_device(instance, error,
                           [&] { *out = end_capture(static_cast<cudaStream_t>(stream)); });
        },
    .launch_graph =
        [](attnrt_instance* instance, void* graph, void* stream, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph),
                                  static_cast<cudaStream_t>(stream)),
                  "cudaGraphLaunch");
          });
        },
    .destroy_graph =
        [](attnrt_instance* instance, void* graph, attnrt_error* error) {
          return on_device(instance, error, [&] {
            check(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)),
                  "cudaGraphExecDestroy");
          });
        },
};

class CudaFence : public Fence {
 public:
  CudaFence() {
    check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate");
  }
  CudaFence(const CudaFence&) = delete;
  CudaFence& operator=(const CudaFence&) = delete;
  ~CudaFence() override { cudaEventDestroy(event_); }

  void record(void* stream) override {
    check(cudaEventRecord(event_, static_cast<cudaStream_t>(stream)), "cudaEventRecord");
  }
  void wait() override { check(cudaEventSynchronize(event_), "cudaEventSynchronize"); }

 private:
  cudaEvent_t event_ = nullptr;
};

class CudaMachine : public Machine {
 public:
  explicit CudaMachine(int32_t ordinal)
      : ordinal_(ordinal),
        limits_{attribute(cudaDevAttrMultiProcessorCount, ordinal),
                attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal),
                attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, ordinal)} {}

  const DeviceLimits& limits() const override { return limits_; }
  const attnrt_device_service* service() const override { return &kService; }

  std::string describe() const override {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, ordinal_), "cudaGetDeviceProperties");
    return plugin::message(properties.name, ", sm_", properties.major * 10 + properties.minor, ", ",
                           limits_.multiprocessors, " multiprocessors");
  }

  void copy(void* to, const void* from, uint64_t bytes, void* stream) const override {
    check(
        cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, static_cast<cudaStream_t>(stream)),
        "cudaMemcpyAsync");
  }
  std::unique_ptr<Fence> make_fence() const override { return std::make_unique<CudaFence>(); }

 protected:
  int32_t enter() const override {
    const int32_t before = current_device();
    if (before != ordinal_) check(cudaSetDevice(ordinal_), "cudaSetDevice");
    return before;
  }
  void leave(int32_t before) const noexcept override {
    if (before != ordinal_) cudaSetDevice(before);
  }

 private:
  int32_t ordinal_;
  DeviceLimits limits_;
};

}  // namespace

std::unique_ptr<Machine> open_machine(const attnrt_device& device) {
  if (device.kind != ATTNRT_DEVICE_CUDA) {
    fail(ATTNRT_UNSUPPORTED, "device.kind is ", device.kind, ", expected CUDA, ",
         ATTNRT_DEVICE_CUDA);
  }
  if (device.option_count > 0) {
    fail(ATTNRT_INVALID_ARGUMENT, "option '", device.options[0].key,
         "' is unknown; this plugin has none");
  }
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();
    fail(ATTNRT_UNAVAILABLE, "no CUDA device: ", cudaGetErrorString(error));
  }
  if (device.ordinal < 0 || device.ordinal >= count) {
    fail(ATTNRT_UNAVAILABLE, "cuda:", device.ordinal, " is not there: this machine has ", count,
         " CUDA devices");
  }
  return std::make_unique<CudaMachine>(device.ordinal);
}

}  // namespace attnrt::cuda
