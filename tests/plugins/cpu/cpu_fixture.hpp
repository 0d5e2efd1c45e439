// A case of attention, run by the cpu plugin and by the oracle over the same stored bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/plugin_driver.hpp"
#include "tests/support/test_batch.hpp"

namespace attnrt::testing {

// The plugin under test: that of the build, or one whose matrix unit is emulated.
#if defined(ATTNRT_CPU_PLUGIN)
inline const std::string kCpuPlugin = ATTNRT_CPU_PLUGIN;
#else
inline const std::string kCpuPlugin = ATTNRT_BINARY_DIR "/plugins/cpu.so";
#endif

enum class Fill { kNormal, kOutlier, kEqual, kAlternating, kSubnormal, kHuge };

// Queries, keys and values of one layer over a text, row after row. A sequence of a case begins
// with the text; its queries are those of its last keys.
struct Recorded {
  std::vector<float> q, k, v;
};

struct CpuCase {
  std::string format = "bf16";
  int32_t q_dtype = ATTNRT_DTYPE_BF16;
  int32_t out_dtype = ATTNRT_DTYPE_F32;
  int32_t q_heads = 4, kv_heads = 2, qk = 64, v = 64;
  bool latent = false;
  std::vector<SequenceLengths> lengths = {{1, 100}};
  uint64_t features = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_LSE;
  int32_t window = 0;
  float softcap = 0;
  float softmax_scale = 0;
  int32_t block_size = 16;
  int32_t layout = ATTNRT_LAYOUT_NHD;
  int32_t gap = 0;
  Fill fill = Fill::kNormal;
  std::shared_ptr<const Recorded> recorded;  // instead of what `fill` makes
  // Sequences that begin with the keys of another one: {owner, sequence, keys}.
  struct Shared {
    size_t owner, sequence;
    int32_t keys;
  };
  std::vector<Shared> shared = {};
  int32_t hint = 0;
  // Few query rows: weights keep 16 bits though q is bf16 (docs/accuracy.md).
  bool weights_of_16_bits = false;
  uint32_t seed = 1;
};

struct Result {
  std::vector<double> out;
  std::vector<double> lse;
  bool padding_untouched = false;
};

// A case with its inputs and its cache, which the oracle has filled.
class CpuFixture {
 public:
  explicit CpuFixture(const CpuCase& c);
  ~CpuFixture();
  CpuFixture(const CpuFixture&) = delete;
  CpuFixture& operator=(const CpuFixture&) = delete;

  // threads 0: the plugin's own pool.
  Result run(const std::string& isa, int32_t threads = 1) const;
  // Another batch of the same sequences' caches: only `sequence`, alone.
  Result run_alone(const std::string& isa, size_t sequence) const;

  // Fails the test where a result is farther from the oracle's than error_bound.hpp allows.
  void expect_close(const Result& found) const;
  // Both appends leave the same bytes.
  void expect_same_append(const std::string& isa) const;

 private:
  struct Data;
  Result attend(PluginDriver& driver, const std::string& kernel, int32_t out_dtype,
                int32_t lse_dtype, bool magnitudes) const;
  CpuCase c_;
  std::unique_ptr<Data> data_;
  Result oracle_;
  std::vector<double> abs_pv_;  // sum p |v| / sum p by element
};

// Runs the case on every instruction set of this CPU against the oracle.
void expect_all_close(const CpuCase& c);

}  // namespace attnrt::testing
