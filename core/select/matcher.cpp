#include "select/matcher.hpp"

#include <algorithm>

#include "select/words.hpp"

namespace attnrt {
namespace {

template <class E>
uint8_t bit8(E value) {
  return static_cast<uint8_t>(1u << static_cast<unsigned>(value));
}

// For each set whether it holds the value.
template <class Set, class T>
std::vector<uint8_t> listed(const std::vector<Set>& sets, const T& value) {
  std::vector<uint8_t> holds;
  holds.reserve(sets.size());
  for (const Set& set : sets) holds.push_back(set.contains(value) ? 1 : 0);
  return holds;
}

uint32_t policy_rank(const Policy& policy, const std::string& name) {
  const auto at = std::find(policy.prefer.begin(), policy.prefer.end(), name);
  return static_cast<uint32_t>(at - policy.prefer.begin());
}

uint32_t plugin_failures(const PluginRow& row, const std::string& name, const Device& device,
                         uint64_t cpu_features, const Policy& policy, Purpose purpose) {
  uint32_t failed = 0;
  const bool cpu = device.kind == DeviceKind::kCpu;
  if (cpu && (row.impossible_cpu || (row.needs_cpu & ~cpu_features) != 0)) {
    failed |= bit(Rule::kNeeds);
  }
  if (row.missing_libraries && device.ordinal >= 0) failed |= bit(Rule::kNeeds);
  if (!policy.require.empty() && policy.require != name) failed |= bit(Rule::kPolicy);
  if (std::find(policy.deny.begin(), policy.deny.end(), name) != policy.deny.end()) {
    failed |= bit(Rule::kPolicy);
  }
  if (!row.abi_known || (!row.has_code && purpose == Purpose::kRun)) failed |= bit(Rule::kPlugin);
  return failed;
}

}  // namespace

Matcher::Matcher(const Request& request, const Catalog& catalog, const Policy& policy,
                 Purpose purpose)
    : compiled_(catalog.compiled()),
      cell_{request.kv, request.block_size, request.layout},
      uses_cache_(request.op != Op::kMerge),
      uses_groups_(attends(request.op)),
      uses_out_(request.op != Op::kAppend),
      query_tokens_(request.op == Op::kDecode ? request.query_tokens : 0),
      features_(request.features.bits()),
      device_(static_cast<uint8_t>(request.device.kind)),
      op_(bit8(request.op)),
      q_(bit8(request.q)),
      out_(bit8(request.out.value_or(request.q))),
      cache_bit_(bit8(request.cache)),
      tensors_(bit8(request.tensors)),
      pages_(bit8(request.pages)),
      alignment_(std::min(request.alignment, tensor_row_alignment(request))),
      page_{request.kv, request.cache, request.head_dim, request.kv_heads, request.block_size},
      page_rows_(page_row_alignment(request)) {
  for (const FormatInfo& f : all_formats()) {
    if (format_exists(f.format, request.cache, request.head_dim)) {
      formats_ |= uint32_t{1} << static_cast<unsigned>(f.format);
    }
  }
  const std::vector<int32_t>& sms = known_sms();
  for (size_t i = 0; i < sms.size(); ++i) {
    if (sms[i] == request.device.sm) sm_ = uint32_t{1} << i;
  }
  const auto targets = known_gfx();
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] == request.device.gfx) gfx_ = uint32_t{1} << i;
  }
  const int32_t group = request.kv_heads > 0 ? request.q_heads / request.kv_heads : 0;
  head_dim_listed_ = listed(compiled_.head_dims, request.head_dim);
  block_size_listed_ = listed(compiled_.block_sizes, request.block_size);
  group_listed_ = listed(compiled_.groups, group);
  const uint64_t cpu_features = cpu_feature_bits(request.device.cpu_features);
  plugin_failed_.reserve(compiled_.plugins.size());
  plugin_rank_.reserve(compiled_.plugins.size());
  for (size_t p = 0; p < compiled_.plugins.size(); ++p) {
    const std::string& name = compiled_.entries[p].manifest.name;
    plugin_failed_.push_back(
        plugin_failures(compiled_.plugins[p], name, request.device, cpu_features, policy, purpose));
    plugin_rank_.push_back(policy_rank(policy, name));
  }
  if (policy.profile != nullptr) measured_ = measured_rows(*policy.profile, request, compiled_);
}

bool Matcher::block_size_listed(const KernelRow& row, int32_t block_size) const {
  if (block_size == cell_.block_size) return block_size_listed_[row.block_size] != 0;
  return compiled_.block_sizes[row.block_size].contains(block_size);
}

// Few kernels ask for any, so other cells than the request's own are reckoned when they are met.
bool Matcher::rows_aligned(const KernelRow& row, const Cell& cell) const {
  if (cell == cell_ || pages_ != bit8(Strides::kPacked)) return page_rows_ >= row.alignment;
  PageGeometry other = page_;
  other.format = cell.kv;
  other.block_size = cell.block_size;
  return page_row_alignment(other) >= row.alignment;
}

uint32_t Matcher::failed_fixed(const KernelRow& row) const {
  uint32_t failed = row.failed_always | plugin_failed_[row.plugin];
  if (row.device != device_) {
    failed |= bit(Rule::kDevice);
  } else if (row.device == static_cast<uint8_t>(DeviceKind::kRocm)) {
    if ((row.gfx & gfx_) == 0) failed |= bit(Rule::kGfx);
  } else if (row.device == static_cast<uint8_t>(DeviceKind::kCuda) ||
             row.device == static_cast<uint8_t>(DeviceKind::kSimt)) {
    if ((row.sm & sm_) == 0) failed |= bit(Rule::kSm);
  }
  if ((row.ops & op_) == 0) failed |= bit(Rule::kOp);
  if (query_tokens_ > row.max_query_tokens) failed |= bit(Rule::kQueryTokens);
  if ((row.q & q_) == 0) failed |= bit(Rule::kQ);
  if (uses_out_ && (row.out == 0 ? out_ != q_ : (row.out & out_) == 0)) failed |= bit(Rule::kOut);
  if (uses_cache_ && (row.cache & cache_bit_) == 0) failed |= bit(Rule::kCache);
  if (head_dim_listed_[row.head_dim] == 0) failed |= bit(Rule::kHeadDim);
  if (uses_groups_ && group_listed_[row.group] == 0) failed |= bit(Rule::kGroup);
  if ((row.tensors & tensors_) == 0) failed |= bit(Rule::kTensors);
  if (uses_cache_ && (row.pages & pages_) == 0) failed |= bit(Rule::kPages);
  if (row.alignment > alignment_) failed |= bit(Rule::kAlignment);
  constexpr uint64_t kReserved = Features{Feature::kSparse}.bits();
  if ((features_ & ~row.features) != 0 || (features_ & kReserved) != 0) {
    failed |= bit(Rule::kFeatures);
  }
  return failed;
}

uint32_t Matcher::failed_cell(const KernelRow& row, const Cell& cell) const {
  if (!uses_cache_) return 0;
  uint32_t failed = 0;
  const uint32_t format = uint32_t{1} << static_cast<unsigned>(cell.kv);
  if ((row.kv & formats_ & format) == 0) failed |= bit(Rule::kKv);
  if (row.alignment > 1 && !rows_aligned(row, cell)) failed |= bit(Rule::kKv);
  if (!block_size_listed(row, cell.block_size)) failed |= bit(Rule::kBlockSize);
  if ((row.layout & bit8(cell.layout)) == 0) failed |= bit(Rule::kLayout);
  return failed;
}

Matcher::Preference Matcher::preference(const KernelRow& row) const {
  const uint32_t policy = plugin_rank_[row.plugin];
  const uint32_t name = compiled_.plugins[row.plugin].name_rank;
  if (measured_.empty()) return {policy, -row.score, kUnmeasured, name};
  const MeasuredRow& measured = measured_[static_cast<size_t>(&row - compiled_.rows.data())];
  return {policy, -measured.score, measured.rank, name};
}

double Matcher::measured_ms(const KernelRow& row) const {
  return measured_.empty() ? 0 : measured_[static_cast<size_t>(&row - compiled_.rows.data())].ms;
}

}  // namespace attnrt
