// A plugin on a device, driven through the C ABI alone: the subject of a test, or the oracle.
#pragma once

#include <string>
#include <vector>

#include "attnrt/device.hpp"
#include "attnrt/plugin.h"
#include "batch.hpp"
#include "cell.hpp"
#include "numbers.hpp"
#include "pages.hpp"

namespace attnrt::conformance {

// What a layer brings beside its caches. Empty vectors: absent.
struct Parameters {
  std::vector<float> sinks, slopes;     // [q_heads]
  std::vector<float> k_scale, v_scale;  // [1] or [kv_heads]
  float q_scale = 1, out_scale = 1;
  float softcap = 0;
};

struct AttendResult {
  HostTensor out;
  HostTensor lse;  // [tokens, q_heads, 1]; no bytes where not asked for
};

class Subject {
 public:
  // Throws std::runtime_error with the reason if the plugin refuses `open`.
  Subject(const attnrt_plugin* table, const Device& device,
          std::vector<std::pair<std::string, std::string>> options = {});
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  ~Subject();

  // Stores k and v at the slots of `pages`.
  void append(const Cell& cell, const HostTensor& k, const HostTensor& v,
              const std::vector<int64_t>& slots, const Parameters& parameters, Pages& pages);
  // out in the cell's dtype, or as `out_dtype` says. Attends twice over one schedule and throws if
  // the second pass differs.
  AttendResult attend(const Cell& cell, const BatchData& batch, const HostTensor& q,
                      const Parameters& parameters, const Pages& pages);
  AttendResult merge(const Cell& cell, const std::vector<HostTensor>& outs,
                     const std::vector<HostTensor>& lses, const Parameters& parameters);
  std::string describe() const;

 private:
  attnrt_layer_class layer_class(const Cell& cell, const Parameters& parameters,
                                 int32_t window) const;
  const attnrt_plugin* table_;
  attnrt_instance* instance_ = nullptr;
  const attnrt_device_service* service_ = nullptr;
};

}  // namespace attnrt::conformance
