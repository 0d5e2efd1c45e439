#include "check.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>

#include "inputs.hpp"
#include "judge.hpp"
#include "memory.hpp"
#include "tests/support/error_bound.hpp"

namespace attnrt::conformance {
namespace {

Verdict passed(double worst_share) {
  return {.worst_share = worst_share};
}
Verdict skipped(std::string why) {
  return {.kind = Verdict::Kind::kSkipped, .reason = std::move(why)};
}
Verdict failed(std::string why, double worst_share = 0) {
  return {.kind = Verdict::Kind::kFailed, .reason = std::move(why), .worst_share = worst_share};
}

int64_t keys_of(const BatchData& batch) {
  return std::accumulate(batch.kv_len.begin(), batch.kv_len.end(), int64_t{0});
}

// Streams of random numbers, one a tensor.
enum Stream : uint32_t { kQ = 1, kK = 2, kV = 3 };

// Appends through the oracle. False: it has no kernel for that.
bool fill_pages(const Cell& cell, Oracle& oracle, const HostTensor& k, const HostTensor& v,
                const std::vector<int64_t>& slots, const Parameters& parameters, Pages& pages) {
  Cell append = cell;
  append.op = Op::kAppend;
  append.q = k.dtype;
  append.features = append.features.contains(Feature::kPerHeadScales)
                        ? Features{Feature::kPerHeadScales}
                        : Features{};
  if (!oracle.adopt(append)) return false;
  oracle.subject().append(append, k, v, slots, parameters, pages);
  return true;
}

// Sequences over shared blocks hold the first sequence's keys there.
void share_prefix(const BatchData& batch, HostTensor& t) {
  int64_t first_key = 0;
  for (int32_t kv_len : batch.kv_len) {
    for (int64_t key = 0; key < std::min(kv_len, batch.shared_prefix); ++key)
      for (int64_t h = 0; h < t.shape[1]; ++h)
        for (int64_t i = 0; i < t.shape[2]; ++i) t.set(first_key + key, h, i, t.get(key, h, i));
    first_key += kv_len;
  }
}

// The first `width` values of every row, without their signs.
HostTensor absolute(const HostTensor& t, int64_t width) {
  HostTensor a(t.dtype, t.shape[0], t.shape[1], width, 0);
  for (int64_t token = 0; token < t.shape[0]; ++token)
    for (int64_t head = 0; head < t.shape[1]; ++head)
      for (int64_t i = 0; i < width; ++i) a.set(token, head, i, std::abs(t.get(token, head, i)));
  return a;
}

// sum_j p_j |v_j| of every element, which makes the bound much tighter where weights may be rounded
// to bf16; null elsewhere, or where the oracle has no cache of its own for V. as_oracle: the cell
// as the oracle attends it.
std::optional<HostTensor> magnitudes(const Cell& as_oracle, Oracle& oracle, const BatchData& batch,
                                     const HostTensor& q, const HostTensor& k, const HostTensor& v,
                                     const std::vector<int64_t>& slots,
                                     const Parameters& parameters) {
  const double rounding =
      testing::weight_rounding(name(as_oracle.kv), static_cast<int32_t>(as_oracle.q));
  // Magnitudes of rotated rows are lengths.
  if (rounding == 0 || is_rotated(as_oracle.kv)) return std::nullopt;
  const bool latent = as_oracle.cache == CacheKind::kLatent;
  Cell cell = as_oracle;
  cell.cache = CacheKind::kSeparate;
  if (!oracle.adopt(cell)) return std::nullopt;
  Pages pages(cell, batch.blocks);
  if (!fill_pages(cell, oracle, k, absolute(latent ? k : v, cell.head_dim.v), slots, parameters,
                  pages))
    return std::nullopt;
  return oracle.subject().attend(cell, batch, q, parameters, pages).out;
}

bool same_bits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

// Every sequence alone must give the bits that it gave in the batch.
std::string check_batch_invariance(const Cell& cell, const BatchData& batch, const HostTensor& q,
                                   const Parameters& parameters, const Pages& pages,
                                   const AttendResult& together, Subject& subject) {
  for (int32_t s = 0; s < batch.sequences(); ++s) {
    const BatchData one = batch.only(s);
    HostTensor q_one(q.dtype, one.tokens(), q.shape[1], q.shape[2], 0);
    const int32_t first = batch.q_start[static_cast<size_t>(s)];
    for (int64_t t = 0; t < one.tokens(); ++t)
      for (int64_t h = 0; h < q.shape[1]; ++h)
        for (int64_t i = 0; i < q.shape[2]; ++i) q_one.set(t, h, i, q.get(first + t, h, i));
    const AttendResult alone = subject.attend(cell, one, q_one, parameters, pages);
    for (int64_t t = 0; t < one.tokens(); ++t)
      for (int64_t h = 0; h < q.shape[1]; ++h)
        for (int64_t i = 0; i < together.out.shape[2]; ++i)
          if (!same_bits(alone.out.get(t, h, i), together.out.get(first + t, h, i)))
            return fmt::format("not batch invariant: sequence {} alone gives other bits", s);
  }
  return {};
}

}  // namespace

Oracle::Oracle(const attnrt_plugin* table, Manifest manifest, const Device& device)
    : device_(device),
      catalog_({CatalogEntry{std::move(manifest), {}, true}}),
      subject_(table, device) {}

bool Oracle::adopt(Cell& cell) const {
  // Guarantees about speed and order are the subject's to keep.
  cell.features.erase(Feature::kBatchInvariant);
  cell.features.erase(Feature::kGraph);
  cell.features.erase(Feature::kDeviceLengths);
  if (cell.op != Op::kAppend) cell.out = DType::kF64;
  const Decision decision = select(to_request(cell, device_), catalog_);
  if (!decision.chosen) return false;
  const Candidate& chosen = decision.candidates[*decision.chosen];
  cell.kernel = catalog_.entries()[0].manifest.kernels[chosen.kernel].name;
  return true;
}

Verdict check_append(const Cell& cell, Subject& subject, Oracle& oracle) {
  const BatchData batch = make_batch(cell);
  const int64_t keys = keys_of(batch);
  const HostTensor k = make_tensor(cell, cell.q, keys, cell.kv_heads, cell.head_dim.qk, kK);
  const HostTensor v = make_tensor(cell, cell.q, keys, cell.kv_heads, cell.head_dim.v, kV);
  const Parameters parameters = make_parameters(cell);
  std::vector<int64_t> slots = batch.slots(cell.block_size);
  for (size_t i = 3; i < slots.size(); i += 11) slots[i] = -1;
  Pages expected(cell, batch.blocks);
  if (!fill_pages(cell, oracle, k, v, slots, parameters, expected))
    return skipped(fmt::format("the oracle does not append {}", name(cell.kv)));
  Pages found(cell, batch.blocks);
  subject.append(cell, k, v, slots, parameters, found);
  const auto [at, other] =
      std::mismatch(found.bytes.begin(), found.bytes.end(), expected.bytes.begin());
  if (at == found.bytes.end()) return passed(0);
  int64_t count = 0;
  for (size_t i = 0; i < found.bytes.size(); ++i) count += found.bytes[i] != expected.bytes[i];
  return failed(fmt::format("{} of {} bytes differ, the first at {}: {:#04x}, expected {:#04x}",
                            count, found.bytes.size(), at - found.bytes.begin(), *at, *other));
}

Verdict check_attend(const Cell& cell, Subject& subject, Oracle& oracle) {
  BatchData batch = make_batch(cell);
  const int64_t keys = keys_of(batch);
  const HostTensor q = make_tensor(cell, cell.q, batch.tokens(),
                                   int64_t{cell.kv_heads} * cell.group, cell.head_dim.qk, kQ);
  HostTensor k = make_tensor(cell, DType::kF32, keys, cell.kv_heads, cell.head_dim.qk, kK);
  HostTensor v = make_tensor(cell, DType::kF32, keys, cell.kv_heads, cell.head_dim.v, kV);
  if (is_rotated(cell.kv)) {
    forget_infinities(k);
    forget_infinities(v);
  }
  mark_keys(cell, cell.head_dim.v, cell.cache == CacheKind::kLatent ? k : v);
  share_prefix(batch, k);
  share_prefix(batch, v);
  const Parameters parameters = make_parameters(cell);
  const std::vector<int64_t> slots = batch.slots(cell.block_size);
  Pages pages(cell, batch.blocks);
  if (!fill_pages(cell, oracle, k, v, slots, parameters, pages))
    return skipped(fmt::format("the oracle does not append {}", name(cell.kv)));
  Cell as_oracle = cell;
  if (!oracle.adopt(as_oracle)) return skipped("the oracle does not list this combination");
  free_unseen_blocks(batch, cell);
  Parameters unscaled = parameters;  // the oracle's f64 is the real value
  unscaled.out_scale = 1;
  const AttendResult expected = oracle.subject().attend(as_oracle, batch, q, unscaled, pages);
  const AttendResult found = subject.attend(cell, batch, q, parameters, pages);

  const std::optional<HostTensor> abs_pv =
      magnitudes(as_oracle, oracle, batch, q, k, v, slots, unscaled);
  const Comparison comparison =
      compare(found, expected, {cell, batch, q, k, v, parameters, abs_pv ? &*abs_pv : nullptr});
  if (!comparison.complaint.empty()) return failed(comparison.complaint, comparison.worst_share);
  if (found.out.disturbed() > 0) return failed("attend wrote between the rows of out");
  if (cell.features.contains(Feature::kBatchInvariant)) {
    const std::string complaint =
        check_batch_invariance(cell, batch, q, parameters, pages, found, subject);
    if (!complaint.empty()) return failed(complaint);
  }
  Verdict verdict = passed(comparison.worst_share);
  verdict.elements = comparison.elements;
  verdict.unbounded = comparison.unbounded;
  return verdict;
}

Verdict check_refusal(const Cell& cell, Subject& subject) {
  const BatchData batch = make_batch(cell);
  const Parameters parameters = make_parameters(cell);
  Pages pages(cell, batch.blocks);
  try {
    if (cell.op == Op::kAppend) {
      const int64_t keys = keys_of(batch);
      const HostTensor k = make_tensor(cell, cell.q, keys, cell.kv_heads, cell.head_dim.qk, kK);
      const HostTensor v = make_tensor(cell, cell.q, keys, cell.kv_heads, cell.head_dim.v, kV);
      subject.append(cell, k, v, batch.slots(cell.block_size), parameters, pages);
    } else {
      const HostTensor q = make_tensor(cell, cell.q, batch.tokens(),
                                       int64_t{cell.kv_heads} * cell.group, cell.head_dim.qk, kQ);
      subject.attend(cell, batch, q, parameters, pages);
    }
  } catch (const Answer& answer) {
    if (answer.status == ATTNRT_UNSUPPORTED) return passed(0);
    return failed(std::string("expected status UNSUPPORTED, but it ") + answer.what());
  }
  return failed("not listed, and yet not refused");
}

}  // namespace attnrt::conformance
