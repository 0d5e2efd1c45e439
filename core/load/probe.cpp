// What this machine is: CPUID and the CUDA driver. The only place where core looks.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "attnrt/device.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace attnrt {
namespace {

#if defined(__x86_64__)

// Registers that CPUID answers in.
enum Register : uint8_t { kEax, kEbx, kEcx, kEdx };

// State that the operating system must save before a feature can be used (bits of XCR0).
constexpr uint64_t kNoState = 0;
constexpr uint64_t kAvxState = 0x6;
constexpr uint64_t kAvx512State = kAvxState | 0xe0;
constexpr uint64_t kAmxState = 0x60000;

struct CpuidBit {
  std::string_view name;
  uint32_t leaf;
  uint32_t subleaf;
  Register reg;
  uint8_t bit;
  uint64_t state;
};

constexpr std::array<CpuidBit, 21> kCpuidBits{{
    {"amx_bf16", 7, 0, kEdx, 22, kAmxState},     {"amx_fp16", 7, 1, kEax, 21, kAmxState},
    {"amx_int8", 7, 0, kEdx, 25, kAmxState},     {"amx_tile", 7, 0, kEdx, 24, kAmxState},
    {"avx", 1, 0, kEcx, 28, kAvxState},          {"avx2", 7, 0, kEbx, 5, kAvxState},
    {"avx512bf16", 7, 1, kEax, 5, kAvx512State}, {"avx512bw", 7, 0, kEbx, 30, kAvx512State},
    {"avx512cd", 7, 0, kEbx, 28, kAvx512State},  {"avx512dq", 7, 0, kEbx, 17, kAvx512State},
    {"avx512f", 7, 0, kEbx, 16, kAvx512State},   {"avx512fp16", 7, 0, kEdx, 23, kAvx512State},
    {"avx512vbmi", 7, 0, kEcx, 1, kAvx512State}, {"avx512vbmi2", 7, 0, kEcx, 6, kAvx512State},
    {"avx512vl", 7, 0, kEbx, 31, kAvx512State},  {"avx512vnni", 7, 0, kEcx, 11, kAvx512State},
    {"avxvnni", 7, 1, kEax, 4, kAvxState},       {"bmi2", 7, 0, kEbx, 8, kNoState},
    {"f16c", 1, 0, kEcx, 29, kAvxState},         {"fma", 1, 0, kEcx, 12, kAvxState},
    {"sse4_2", 1, 0, kEcx, 20, kNoState},
}};

uint64_t enabled_state() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  constexpr uint32_t kOsxsave = 1u << 27;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsxsave) == 0) return 0;
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  uint64_t state = uint64_t{high} << 32 | low;
  // Tile data is granted a process on demand: XCR0 alone says less than the kernel.
  constexpr long kArchGetXcompSupp = 0x1021;
  uint64_t supported = 0;
  if (syscall(SYS_arch_prctl, kArchGetXcompSupp, &supported) != 0) supported = 0;
  if ((supported & kAmxState) != kAmxState) state &= ~kAmxState;
  return state;
}

bool has(const CpuidBit& feature, uint64_t state) {
  std::array<uint32_t, 4> r{};
  if ((feature.state & ~state) != 0) return false;
  if (__get_cpuid_count(feature.leaf, 0, &r[0], &r[1], &r[2], &r[3]) == 0) return false;
  if (feature.subleaf > 0) {
    if (feature.subleaf > r[0]) return false;  // leaf 7: EAX of subleaf 0 is the last subleaf
    __get_cpuid_count(feature.leaf, feature.subleaf, &r[0], &r[1], &r[2], &r[3]);
  }
  return (r[feature.reg] >> feature.bit & 1) != 0;
}

std::vector<std::string> probe_cpu() {
  std::vector<std::string> features;
  const uint64_t state = enabled_state();
  for (const CpuidBit& feature : kCpuidBits) {
    if (has(feature, state)) features.emplace_back(feature.name);
  }
  return features;
}

// The brand string: 48 bytes of leaves 0x80000002 to 0x80000004, padded with blanks.
std::string probe_cpu_name() {
  constexpr uint32_t kFirst = 0x80000002;
  std::array<uint32_t, 12> words{};
  for (uint32_t i = 0; i < 3; ++i) {
    uint32_t* w = &words[4 * i];
    if (__get_cpuid(kFirst + i, &w[0], &w[1], &w[2], &w[3]) == 0) return {};
  }
  std::string name(reinterpret_cast<const char*>(words.data()), sizeof words);
  name.resize(std::min(name.find('\0'), name.size()));
  const size_t begin = name.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  return name.substr(begin, name.find_last_not_of(' ') + 1 - begin);
}

#elif defined(__aarch64__)

std::vector<std::string> probe_cpu() {
  struct Bit {
    std::string_view name;
    unsigned long which;
    unsigned bit;
  };
  constexpr std::array<Bit, 5> kBits{{{"neon", AT_HWCAP, 1},
                                      {"neon_bf16", AT_HWCAP2, 14},
                                      {"neon_dotprod", AT_HWCAP, 20},
                                      {"sve", AT_HWCAP, 22},
                                      {"sve2", AT_HWCAP2, 1}}};
  std::vector<std::string> features;
  for (const Bit& b : kBits) {
    if ((getauxval(b.which) >> b.bit & 1) != 0) features.emplace_back(b.name);
  }
  return features;
}

#else
std::vector<std::string> probe_cpu() {
  return {};
}
#endif
#if !defined(__x86_64__)
std::string probe_cpu_name() {
  return {};
}
#endif

// The driver's functions that we need; its header may be absent where attnrt is built.
struct CudaDriver {
  int (*init)(unsigned) = nullptr;
  int (*device_count)(int*) = nullptr;
  int (*device)(int*, int) = nullptr;
  int (*attribute)(int*, int, int) = nullptr;
};
constexpr int kComputeCapabilityMajor = 75;
constexpr int kComputeCapabilityMinor = 76;

template <class F>
bool find(void* library, const char* symbol, F& out) {
  out = reinterpret_cast<F>(dlsym(library, symbol));
  return out != nullptr;
}

std::vector<int32_t> probe_cuda() {
  // Never closed: a driver that has been initialised stays in the process.
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {};
  CudaDriver cuda;
  if (!find(library, "cuInit", cuda.init) ||
      !find(library, "cuDeviceGetCount", cuda.device_count) ||
      !find(library, "cuDeviceGet", cuda.device) ||
      !find(library, "cuDeviceGetAttribute", cuda.attribute)) {
    return {};
  }
  int count = 0;
  if (cuda.init(0) != 0 || cuda.device_count(&count) != 0) return {};
  std::vector<int32_t> sms;
  for (int i = 0; i < count; ++i) {
    int device = 0, major = 0, minor = 0;
    if (cuda.device(&device, i) != 0 ||
        cuda.attribute(&major, kComputeCapabilityMajor, device) != 0 ||
        cuda.attribute(&minor, kComputeCapabilityMinor, device) != 0) {
      return sms;  // ordinals must not shift
    }
    sms.push_back(major * 10 + minor);
  }
  return sms;
}

}  // namespace

HostFacts probe_host() {
  HostFacts facts{
      .cpu_features = probe_cpu(), .cuda_sms = probe_cuda(), .cpu_name = probe_cpu_name()};
  std::sort(facts.cpu_features.begin(), facts.cpu_features.end());
  return facts;
}

}  // namespace attnrt
