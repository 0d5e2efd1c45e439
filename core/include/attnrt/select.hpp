// Selection: (request, catalog, policy) -> decision. Pure: no I/O, no device, no clock; the same
// inputs give the same decision on any machine. Thread-safe; a Catalog is immutable once built.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "attnrt/device.hpp"
#include "attnrt/format.hpp"
#include "attnrt/manifest.hpp"

namespace attnrt {

// Of tensors and caches that nobody says more about.
inline constexpr int32_t kUsualAlignment = 16;  // bytes

// One (layer, op, device) to be served.
struct Request {
  Device device;
  Op op = Op::kDecode;
  int32_t query_tokens = 1;  // per sequence
  DType q = DType::kBf16;
  std::optional<DType> out;  // empty: q's
  Format kv = Format::kBf16;
  CacheKind cache = CacheKind::kSeparate;
  HeadDim head_dim{128, 128};
  int32_t q_heads = 32;
  int32_t kv_heads = 8;
  int32_t block_size = 16;
  Layout layout = Layout::kNhd;
  Features features{Feature::kCausal};  // no mask named means causal
  // Where the rows of tensors and pages will stand: packed where nothing is said, as make_tensor's
  // and those of a session's own pool. alignment: bytes, a power of two, of which their pointers
  // and strides are multiples.
  Strides tensors = Strides::kPacked;
  Strides pages = Strides::kPacked;
  int32_t alignment = kUsualAlignment;
};

// Errors (kInvalid): sizes below 1, heads that do not divide, two masks, ….
Status check(const Request& request);
// The request that selection sees. Attending ops: causal where no mask is named. append knows
// neither masks nor outputs, so only per_head_scales, graph, device_lengths and sparse stay of its
// features. merge: its parts are f32 (q) and what was q is the type of out; lse and the guarantees
// stay.
Request normalised(const Request& request);

// The rules, named after the manifest's keys. A kernel fails each on its own.
enum class Rule : uint8_t {
  kDevice,
  kSm,
  kGfx,
  kOp,
  kQueryTokens,
  kQ,
  kOut,
  kKv,
  kCache,
  kHeadDim,
  kBlockSize,
  kLayout,
  kGroup,
  kFeatures,
  kTensors,
  kPages,
  kAlignment,
  kNeeds,   // CPU features or libraries that the plugin needs and the device or machine lacks
  kPolicy,  // denied, or another plugin is required
  kPlugin,  // the loader refused the plugin (ABI, trust, …) or it has no code (bare manifest, run)
  kUnknownKeys,  // the kernel's manifest has keys of a later version
};
std::string_view name(Rule rule);

struct FailedRule {
  Rule rule;
  std::string asked;
  std::vector<std::string> allowed;
};

struct Profile;  // attnrt/profile.hpp

// Which plugins are wanted, from YAML or the command line; per device kind where it says so.
struct Policy {
  std::string require = {};              // name; empty: any
  std::vector<std::string> prefer = {};  // in this order before all others
  std::vector<std::string> deny = {};
  // Measured times; null: none. Of another device than the request's: not looked at.
  std::shared_ptr<const Profile> profile = {};
};
// Contradictions (a plugin both required and denied, …) and names that no plugin has.
class Catalog;
Status check(const Policy& policy, const Catalog& catalog);

// A plugin as the selector knows it: its manifest, and what the loader found out without running
// it.
struct CatalogEntry {
  Manifest manifest;
  // Of needs and DT_NEEDED. They count for devices of this machine only (Device::ordinal >= 0).
  std::vector<std::string> missing_libraries;
  bool has_code = true;  // false: a bare manifest
};

class Catalog {
 public:
  explicit Catalog(std::vector<CatalogEntry> entries);
  Catalog(Catalog&&) noexcept;
  Catalog& operator=(Catalog&&) noexcept;
  ~Catalog();
  const std::vector<CatalogEntry>& entries() const;
  struct Compiled;  // flat rows for fast matching; private to core/select
  const Compiled& compiled() const { return *compiled_; }

 private:
  std::unique_ptr<Compiled> compiled_;
};

struct Candidate {
  uint32_t plugin = 0;  // index in catalog.entries()
  uint32_t kernel = 0;  // index in its manifest.kernels
  uint32_t failed = 0;  // bits of Rule; 0: accepted
  bool accepted() const { return failed == 0; }
};

struct Decision {
  std::vector<Candidate> candidates;  // every kernel of every plugin, in catalog order
  std::optional<uint32_t> chosen;     // index in candidates
};

// Preference: the policy, a measured profile, the score, the plugin's name, the kernel's order.
Decision select(const Request& request, const Catalog& catalog, const Policy& policy = {});

// A spelling may stand for several formats (nvfp4): the first of `kv` (not empty) that is served.
// A candidate's failed rules are those that fail for every one of them.
struct SpelledDecision {
  Request request;  // with the format taken; with the first one if nothing serves
  Decision decision;
};
SpelledDecision select(const Request& request, std::span<const Format> kv, const Catalog& catalog,
                       const Policy& policy = {});

// The reasons of one candidate, in words.
std::vector<FailedRule> explain(const Candidate& candidate, const Request& request,
                                const Catalog& catalog, const Policy& policy = {});

// A change to a request that the selector has checked: key and new value as options take them.
struct Alternative {
  std::vector<std::pair<std::string, std::string>> change;  // {"kv", "fp8_e4m3"}, …
  Request request;
  uint32_t plugin = 0;
  uint32_t kernel = 0;
  double kv_bytes_per_token = 0;  // one layer's
};
// At most eight, smallest change first: fewest keys; then layout, block_size, kv (nearest bytes
// first), features, device. Facts of the model never change. Empty if the request can be served.
std::vector<Alternative> alternatives(const Request& request, const Catalog& catalog,
                                      const Policy& policy = {});
std::vector<Alternative> alternatives(const Request& request, std::span<const Format> kv,
                                      const Catalog& catalog, const Policy& policy = {});

// One layer's bytes per token for a request's cache; 0 if the format does not fit the head size.
double kv_bytes_per_token(const Request& request);

}  // namespace attnrt
