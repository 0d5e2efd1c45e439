// Alternatives of one request.
//
// Exact: kernels are boxes, so a kernel accepts a changed request exactly if the change gives every
// key that failed a listed value. The smallest changes are therefore those of the failed keys, and
// reading each kernel once finds them all; where keys are coupled, formats are tried (see holding).
#include <algorithm>

#include "select/change.hpp"
#include "select/matcher.hpp"
#include "select/words.hpp"

namespace attnrt {
namespace {

// Of one kernel; enough that the nearest eight of all are among them.
constexpr size_t kMaxChangesOfAKernel = 64;

constexpr uint32_t kDeviceRules = bit(Rule::kDevice) | bit(Rule::kSm) | bit(Rule::kGfx);
constexpr uint32_t kChangeable = kDeviceRules | bit(Rule::kNeeds) | bit(Rule::kKv) |
                                 bit(Rule::kBlockSize) | bit(Rule::kLayout) | bit(Rule::kFeatures) |
                                 bit(Rule::kTensors) | bit(Rule::kPages) | bit(Rule::kAlignment);

struct Found {
  ChangeOrder order;
  Change change;
  Request request;  // changed
};

// Nothing if a fact or the policy stands in the way.
bool can_change(const KernelRow& row, uint32_t failed, const Request& asked,
                const Catalog::Compiled& compiled) {
  if ((failed & ~kChangeable) != 0) return false;
  const PluginRow& plugin = compiled.plugins[row.plugin];
  // Where the device has to change anyway, what this one lacks does not matter.
  const bool moves = (failed & kDeviceRules) != 0;
  if ((failed & bit(Rule::kNeeds)) != 0 && !moves) {
    // A library that is missing here is no property of a device; CPU features are.
    const bool library = plugin.missing_libraries && asked.device.ordinal >= 0;
    if (library || plugin.impossible_cpu) return false;
  }
  const Features missing = asked.features.minus(Features::from_bits(row.features));
  return kGuarantees.contains_all(missing);
}

template <class T, class Set>
void multiply(std::vector<Change>& changes, const std::vector<T>& values, Set set) {
  std::vector<Change> product;
  for (const Change& change : changes) {
    for (const T& value : values) {
      if (product.size() == kMaxChangesOfAKernel) break;
      product.push_back(change);
      set(product.back(), value);
    }
  }
  changes = std::move(product);
}

template <class E>
std::vector<E> members(uint8_t bits, std::initializer_list<E> all) {
  std::vector<E> members;
  for (E value : all) {
    if ((bits >> static_cast<unsigned>(value) & 1) != 0) members.push_back(value);
  }
  return members;
}

// The changes that make this kernel accept.
std::vector<Change> changes_of(const KernelRow& row, uint32_t failed, const Request& asked,
                               const Catalog::Compiled& compiled) {
  std::vector<Change> changes{Change{}};
  if ((failed & bit(Rule::kLayout)) != 0) {
    multiply(changes, members(row.layout, {Layout::kNhd, Layout::kHnd}),
             [](Change& c, Layout v) { c.layout = v; });
  }
  if ((failed & bit(Rule::kBlockSize)) != 0) {
    multiply(changes, near_block_sizes(row, compiled, asked.block_size),
             [](Change& c, int32_t v) { c.block_size = v; });
  }
  if ((failed & bit(Rule::kKv)) != 0) {
    // The asked one fails, if it is listed, for where its rows begin; other sizes may change that.
    multiply(changes, near_formats(row.kv, asked), [&asked](Change& c, Format v) {
      if (v != asked.kv) c.kv = v;
    });
  }
  const auto strides = {Strides::kPacked, Strides::kStrided};
  if ((failed & bit(Rule::kTensors)) != 0) {
    multiply(changes, members(row.tensors, strides), [](Change& c, Strides v) { c.tensors = v; });
  }
  if ((failed & bit(Rule::kPages)) != 0) {
    multiply(changes, members(row.pages, strides), [](Change& c, Strides v) { c.pages = v; });
  }
  if ((failed & bit(Rule::kAlignment)) != 0) {
    multiply(changes, std::vector{row.alignment}, [](Change& c, int32_t v) { c.alignment = v; });
  }
  if ((failed & bit(Rule::kFeatures)) != 0) {
    const Features listed = Features::from_bits(row.features);
    const std::vector<Features> kept{asked.features.minus(asked.features.minus(listed))};
    multiply(changes, kept, [](Change& c, Features v) { c.features = v; });
  }
  if ((failed & (kDeviceRules | bit(Rule::kNeeds))) != 0) {
    multiply(changes, near_devices(row, compiled, asked.device),
             [](Change& c, const Device& v) { c.device = v; });
  }
  return changes;
}

// Whether the format stays the same where its spelling is read anew: `fp8` means another e4m3 on
// CDNA3 than elsewhere, so a change of device alone would change the format too.
bool keeps_format(const Change& change, const Request& asked) {
  if (!change.device || change.kv || asked.op == Op::kMerge) return true;
  const bool e4m3 = asked.kv == Format::kFp8E4m3 || asked.kv == Format::kFp8E4m3fnuz;
  const auto cdna3 = [](const Device& device) { return device.gfx.starts_with("gfx94"); };
  return !e4m3 || cdna3(*change.device) == cdna3(asked.device);
}

// The kernels' smallest changes, nearest first, none a larger form of another.
std::vector<Found> smallest(std::vector<Found> all) {
  std::stable_sort(all.begin(), all.end(),
                   [](const Found& a, const Found& b) { return a.order < b.order; });
  std::vector<Found> kept;
  for (Found& f : all) {
    if (kept.size() == kMaxAlternatives) break;
    const bool larger = std::any_of(
        kept.begin(), kept.end(), [&f](const Found& k) { return is_part_of(k.change, f.change); });
    const auto of_this_kind = std::count_if(kept.begin(), kept.end(), [&f](const Found& k) {
      return f.change.block_size && same_but_block_size(k.change, f.change);
    });
    if (larger || static_cast<size_t>(of_this_kind) >= kMaxBlockSizes) continue;
    kept.push_back(std::move(f));
  }
  return kept;
}

// What of the changes holds. Two things couple keys, so that a change may need another format with
// it: what a spelling means elsewhere, and where packed rows of a format begin.
std::vector<Change> holding(const std::vector<Change>& changes, const KernelRow& row,
                            const Request& asked, const Catalog& catalog, const Policy& policy) {
  const auto holds = [&](const Change& change) {
    if (!keeps_format(change, asked)) return false;
    return row.alignment <= 1 || Matcher(apply(change, asked), catalog, policy).failed(row) == 0;
  };
  std::vector<Change> kept;
  for (const Change& change : changes) {
    if (holds(change)) {
      kept.push_back(change);
      continue;
    }
    if (change.kv || asked.op == Op::kMerge) continue;
    for (const Format format : near_formats(row.kv, asked)) {
      Change other = change;
      other.kv = format;
      if (format != asked.kv && holds(other)) kept.push_back(other);
    }
  }
  return kept;
}

void collect(const Request& asked, const Request& first, const Catalog& catalog,
             const Policy& policy, std::vector<Found>& all) {
  const Matcher matcher(asked, catalog, policy);
  for (const KernelRow& row : catalog.compiled().rows) {
    const uint32_t failed = matcher.failed(row);
    if (!can_change(row, failed, asked, catalog.compiled())) continue;
    const std::vector<Change> changes = changes_of(row, failed, asked, catalog.compiled());
    for (const Change& change : holding(changes, row, asked, catalog, policy)) {
      all.push_back({order(change, first), change, apply(change, asked)});
    }
  }
}

}  // namespace

std::vector<Alternative> alternatives(const Request& request, std::span<const Format> kv,
                                      const Catalog& catalog, const Policy& policy) {
  std::vector<Alternative> result;
  if (kv.empty() || select(request, kv, catalog, policy).decision.chosen) return result;
  std::vector<Found> all;
  Request first = normalised(request);
  first.kv = kv.front();
  for (Format format : kv) {
    Request asked = first;
    asked.kv = format;
    collect(asked, first, catalog, policy, all);
  }
  for (const Found& found : smallest(std::move(all))) {
    // Whatever was found, what is offered has been selected.
    const Decision decision = select(found.request, catalog, policy);
    if (!decision.chosen) continue;
    const Candidate& chosen = decision.candidates[*decision.chosen];
    result.push_back({to_texts(found.change), found.request, chosen.plugin, chosen.kernel,
                      kv_bytes_per_token(found.request)});
  }
  return result;
}

std::vector<Alternative> alternatives(const Request& request, const Catalog& catalog,
                                      const Policy& policy) {
  const Format kv[] = {request.kv};
  return alternatives(request, kv, catalog, policy);
}

}  // namespace attnrt
