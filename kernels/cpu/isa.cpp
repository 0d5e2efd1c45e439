#include "kernels/cpu/isa.hpp"

#if defined(ATTNRT_CPU_X86)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace attnrt::cpu {
namespace {

#if defined(ATTNRT_CPU_EMULATED_AMX)
// In a test (tests/plugins/cpu/matrix_emulated.hpp) any CPU with AVX512-BF16 has the unit.
bool has_amx_bf16() {
  return true;
}
bool may_use_tiles() {
  return true;
}
#elif defined(ATTNRT_CPU_X86)
bool has_amx_bf16() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned kBf16 = 1U << 22;
  constexpr unsigned kTile = 1U << 24;
  return (d & kBf16) != 0 && (d & kTile) != 0;
}

// Linux lends the tile registers to a process that asks (arch/x86: ARCH_REQ_XCOMP_PERM): all its
// threads have them from then on.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

std::vector<Isa> find_instruction_sets() {
  std::vector<Isa> sets;
#if defined(ATTNRT_CPU_X86)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq");
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16") &&
                    __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
  const bool amx = bf16 && has_amx_bf16() && may_use_tiles();
  sets.push_back(
      {"avx512_amx", avx512_amx_table,
       "avx2 fma f16c avx512f avx512bw avx512vl avx512dq avx512vbmi avx512vnni avx512bf16 "
       "amx_tile amx_bf16",
       amx});
#if !defined(ATTNRT_CPU_EMULATED_AMX)
  sets.push_back(
      {"avx512_bf16", avx512_bf16_table,
       "avx2 fma f16c avx512f avx512bw avx512vl avx512dq avx512vbmi avx512vnni avx512bf16", bf16});
  sets.push_back(
      {"avx512", avx512_table, "avx2 fma f16c avx512f avx512bw avx512vl avx512dq", avx512});
  sets.push_back({"avx2", avx2_table, "avx2 fma f16c", avx2});
#endif
#endif
#if defined(ATTNRT_CPU_NEON)
  sets.push_back({"neon", neon_table, "neon", true});
#endif
  sets.push_back({"portable", portable_table, "", true});
  return sets;
}

std::string available_names() {
  std::string names = "auto";
  for (const Isa& isa : instruction_sets()) {
    if (isa.available) names.append(", ").append(isa.name);
  }
  return names;
}

}  // namespace

const std::vector<Isa>& instruction_sets() {
  static const std::vector<Isa> sets = find_instruction_sets();
  return sets;
}

const Isa* choose_isa(std::string_view name, std::string& why) {
  const bool any = name.empty() || name == "auto";
  for (const Isa& isa : instruction_sets()) {
    if (!any && isa.name != name) continue;
    if (isa.available) return &isa;
    if (any) continue;
    why = "this CPU lacks instructions for isa '" + std::string(name) + "' (it needs " +
          std::string(isa.needs) + "); available here: " + available_names();
    return nullptr;
  }
  why = "isa is '" + std::string(name) + "', expected one of: " + available_names();
  return nullptr;
}

}  // namespace attnrt::cpu
