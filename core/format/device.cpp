// Devices: their spellings, and the architectures that attnrt knows.
#include "attnrt/device.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "attnrt/format.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace {

// As in /proc/cpuinfo, but without the underscores that only some of its names have.
constexpr std::array<std::string_view, 26> kCpuFeatures{
    "amx_bf16",  "amx_fp16",     "amx_int8", "amx_tile", "avx",        "avx2",       "avx512bf16",
    "avx512bw",  "avx512cd",     "avx512dq", "avx512f",  "avx512fp16", "avx512vbmi", "avx512vbmi2",
    "avx512vl",  "avx512vnni",   "avxvnni",  "bmi2",     "f16c",       "fma",        "neon",
    "neon_bf16", "neon_dotprod", "sse4_2",   "sve",      "sve2"};
static_assert(std::is_sorted(kCpuFeatures.begin(), kCpuFeatures.end()));

constexpr std::array<std::string_view, 22> kGfx{
    "gfx900",  "gfx906",  "gfx908",  "gfx90a",  "gfx940",  "gfx941",  "gfx942",  "gfx950",
    "gfx1010", "gfx1030", "gfx1031", "gfx1032", "gfx1100", "gfx1101", "gfx1102", "gfx1103",
    "gfx1150", "gfx1151", "gfx1152", "gfx1153", "gfx1200", "gfx1201"};

constexpr std::array<std::string_view, 5> kKinds{"cpu", "cuda", "rocm", "xpu", "simt"};
constexpr std::string_view kForms =
    "a device (cpu, cpu:avx2+fma, cuda:0, cuda:sm_90, rocm:gfx942, xpu, simt:sm_80)";

Error invalid(std::string expected, std::string found, std::string remedy) {
  return Error{.code = ErrorCode::kInvalid,
               .where = "device",
               .expected = std::move(expected),
               .found = std::move(found),
               .remedy = std::move(remedy)};
}

std::optional<int32_t> parse_number(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::string sm_names() {
  std::string text;
  for (int32_t sm : known_sms()) text += (text.empty() ? "sm_" : ", sm_") + std::to_string(sm);
  return text;
}

Result<Device> parse_cpu(std::string_view rest) {
  Device device{.kind = DeviceKind::kCpu};
  if (rest == "none") return device;
  while (true) {
    const size_t plus = rest.find('+');
    const std::string_view feature = rest.substr(0, plus);
    if (!std::binary_search(kCpuFeatures.begin(), kCpuFeatures.end(), feature)) {
      Error error = unknown_name("a CPU feature", feature, kCpuFeatures);
      error.where = "device";
      return error;
    }
    device.cpu_features.emplace_back(feature);
    if (plus == std::string_view::npos) break;
    rest.remove_prefix(plus + 1);
  }
  std::sort(device.cpu_features.begin(), device.cpu_features.end());
  const auto last = std::unique(device.cpu_features.begin(), device.cpu_features.end());
  device.cpu_features.erase(last, device.cpu_features.end());
  return device;
}

Result<Device> parse_sm(DeviceKind kind, std::string_view text) {
  std::string_view digits = text.substr(std::string_view("sm_").size());
  // A device is one SM: 90a names the same chip, a family (100f) names several.
  const std::vector<int32_t> sms =
      digits.ends_with('f') ? std::vector<int32_t>{} : expand_sm(digits);
  if (sms.size() != 1) {
    return invalid("an SM that is known (" + sm_names() + ")", in_quotes(text), "name one of them");
  }
  // SIMT devices are emulated on the host, so there is always one.
  return Device{.kind = kind, .ordinal = kind == DeviceKind::kSimt ? 0 : -1, .sm = sms[0]};
}

Result<Device> parse_cuda(std::string_view rest, const HostFacts& host) {
  if (rest.starts_with("sm_")) return parse_sm(DeviceKind::kCuda, rest);
  const std::optional<int32_t> ordinal = parse_number(rest);
  if (!ordinal) {
    return invalid("cuda:N (a device of this machine) or cuda:sm_NN", in_quotes(rest),
                   "e.g. cuda:0 or cuda:sm_90");
  }
  if (static_cast<size_t>(*ordinal) >= host.cuda_sms.size()) {
    return invalid(
        "a CUDA device of this machine, which has " + std::to_string(host.cuda_sms.size()),
        "'cuda:" + std::to_string(*ordinal) + "'",
        "to plan for another machine name its SM, e.g. cuda:sm_90");
  }
  return Device{.kind = DeviceKind::kCuda,
                .ordinal = *ordinal,
                .sm = host.cuda_sms[static_cast<size_t>(*ordinal)]};
}

Result<Device> parse_rocm(std::string_view rest) {
  if (std::find(kGfx.begin(), kGfx.end(), rest) == kGfx.end()) {
    Error error = unknown_name("an AMD target", rest, kGfx);
    error.where = "device";
    return error;
  }
  return Device{.kind = DeviceKind::kRocm, .ordinal = -1, .gfx = std::string(rest)};
}

Result<Device> parse_xpu(std::string_view rest) {
  const std::optional<int32_t> ordinal = parse_number(rest);
  if (!ordinal) return invalid("xpu or xpu:N", in_quotes(rest), "e.g. xpu:0");
  return Device{.kind = DeviceKind::kXpu, .ordinal = *ordinal};
}

}  // namespace

Result<Device> parse_device(std::string_view text, const HostFacts& host) {
  const size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const bool bare = colon == std::string_view::npos;
  const std::string_view rest = bare ? std::string_view() : text.substr(colon + 1);
  if (bare && kind == "cpu") {
    return Device{.kind = DeviceKind::kCpu, .ordinal = 0, .cpu_features = host.cpu_features};
  }
  if (bare && kind == "xpu") return Device{.kind = DeviceKind::kXpu};
  if (bare && kind == "cuda") return parse_cuda("0", host);
  if (bare && (kind == "rocm" || kind == "simt")) {
    return invalid(kind == "rocm" ? "a target: rocm:gfx942" : "an SM: simt:sm_80", in_quotes(text),
                   "name the architecture");
  }
  if (kind == "cpu") return parse_cpu(rest);
  if (kind == "cuda") return parse_cuda(rest, host);
  if (kind == "rocm") return parse_rocm(rest);
  if (kind == "xpu") return parse_xpu(rest);
  if (kind == "simt" && rest.starts_with("sm_")) return parse_sm(DeviceKind::kSimt, rest);
  if (kind == "simt") return invalid("an SM: simt:sm_80", in_quotes(text), "name the architecture");
  return invalid(std::string(kForms), in_quotes(text), "nearest: " + nearest(kind, kKinds));
}

std::string to_string(const Device& device) {
  const std::string kind(name(device.kind));
  const std::string ordinal = kind + ":" + std::to_string(device.ordinal);
  switch (device.kind) {
    case DeviceKind::kCpu: {
      if (device.ordinal >= 0) return kind;
      std::string features;
      for (const std::string& f : device.cpu_features)
        features += (features.empty() ? "" : "+") + f;
      return kind + ":" + (features.empty() ? "none" : features);
    }
    case DeviceKind::kCuda:
      if (device.ordinal >= 0) return ordinal;
      [[fallthrough]];
    case DeviceKind::kSimt:
      return kind + ":sm_" + std::to_string(device.sm);
    case DeviceKind::kRocm:
      return kind + ":" + device.gfx;
    case DeviceKind::kXpu:
      return device.ordinal >= 0 ? ordinal : kind;
  }
  return kind;
}

std::string_view name(DeviceKind kind) {
  const auto index = static_cast<size_t>(kind) - 1;
  return index < kKinds.size() ? kKinds[index] : "?";
}

const std::vector<int32_t>& known_sms() {
  static const std::vector<int32_t> sms{70, 72, 75,  80,  86,  87,  88,
                                        89, 90, 100, 103, 110, 120, 121};
  return sms;
}

std::vector<int32_t> expand_sm(std::string_view text) {
  const char suffix = text.empty() ? '\0' : text.back();
  const bool arch = suffix == 'a';
  const bool family = suffix == 'f';
  if (arch || family) text.remove_suffix(1);
  const std::optional<int32_t> sm = parse_number(text);
  if (!sm || !std::binary_search(known_sms().begin(), known_sms().end(), *sm)) return {};
  // nvcc has a-variants from SM 9.0 and families from SM 10.0.
  if ((arch && *sm < 90) || (family && *sm < 100)) return {};
  std::vector<int32_t> sms{*sm};
  if (!family) return sms;
  // A family is the members of one major version from the named one on.
  for (int32_t other : known_sms()) {
    if (other > *sm && other / 10 == *sm / 10) sms.push_back(other);
  }
  return sms;
}

std::span<const std::string_view> known_cpu_features() {
  return kCpuFeatures;
}
std::span<const std::string_view> known_gfx() {
  return kGfx;
}

}  // namespace attnrt
