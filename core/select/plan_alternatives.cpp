#include "select/plan_alternatives.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "select/words.hpp"

namespace attnrt {
namespace {

// Every value that a change may take, for each key.
struct Values {
  std::vector<Layout> layouts;
  std::vector<int32_t> block_sizes;
  std::vector<Format> formats;
  std::vector<Strides> tensors;
  std::vector<Strides> pages;
  std::vector<int32_t> alignments;
  std::vector<Features> features;
  std::vector<Device> devices;
};

// Sets of features that are left when some guarantees are given up.
std::vector<Features> without_guarantees(Features asked) {
  std::vector<Features> kept;
  const uint64_t guarantees = asked.bits() & kGuarantees.bits();
  for (uint64_t dropped = guarantees; dropped != 0; dropped = (dropped - 1) & guarantees) {
    kept.push_back(asked.minus(Features::from_bits(dropped)));
  }
  return kept;
}

Values possible_values(const Request& asked, const PlanOptions& options, const Catalog& catalog) {
  Values v;
  const Catalog::Compiled& compiled = catalog.compiled();
  uint32_t formats = 0;
  std::set<int32_t> blocks;
  std::set<int32_t> alignments;
  std::map<std::string, Device> devices;
  for (const KernelRow& row : compiled.rows) {
    formats |= row.kv;
    if (row.alignment > asked.alignment) alignments.insert(row.alignment);
    for (int32_t b : near_block_sizes(row, compiled, asked.block_size)) blocks.insert(b);
    for (Device& d : near_devices(row, compiled, asked.device)) {
      if (d != asked.device) devices.emplace(to_string(d), std::move(d));
    }
  }
  for (Format f : near_formats(formats, asked)) {
    if (f != asked.kv) v.formats.push_back(f);
  }
  if (options.kv_cache.layout) {
    v.layouts.push_back(asked.layout == Layout::kNhd ? Layout::kHnd : Layout::kNhd);
  }
  if (options.kv_cache.block_size) {
    blocks.erase(asked.block_size);
    v.block_sizes.assign(blocks.begin(), blocks.end());
  }
  // The other way round asks for more than the options do; whoever lists nothing else is odd.
  if (asked.tensors == Strides::kStrided) v.tensors.push_back(Strides::kPacked);
  if (asked.pages == Strides::kStrided) v.pages.push_back(Strides::kPacked);
  v.alignments.assign(alignments.begin(), alignments.end());
  v.features = without_guarantees(options.features);
  for (auto& [text, device] : devices) v.devices.push_back(std::move(device));
  return v;
}

// Adds each value of a key to the changes that lack it, for the next size of change.
template <class T>
void extend(const std::vector<Change>& smaller, std::optional<T> Change::*key,
            const std::vector<T>& values, bool later_keys_free, std::vector<Change>& out) {
  for (const Change& change : smaller) {
    if (change.*key || !later_keys_free) continue;
    for (const T& value : values) {
      out.push_back(change);
      out.back().*key = value;
    }
  }
}

// Keys are added in the order of Change, so that each combination arises once.
std::vector<Change> next_size(const std::vector<Change>& smaller, const Values& v) {
  std::vector<Change> larger;
  for (const Change& c : smaller) {
    const std::vector<Change> one{c};
    const bool no_device = !c.device;
    const bool no_features = no_device && !c.features;
    const bool no_alignment = no_features && !c.alignment;
    const bool no_pages = no_alignment && !c.pages;
    const bool no_tensors = no_pages && !c.tensors;
    const bool no_kv = no_tensors && !c.kv;
    const bool no_block = no_kv && !c.block_size;
    extend(one, &Change::layout, v.layouts, no_block, larger);
    extend(one, &Change::block_size, v.block_sizes, no_kv, larger);
    extend(one, &Change::kv, v.formats, no_tensors, larger);
    extend(one, &Change::tensors, v.tensors, no_pages, larger);
    extend(one, &Change::pages, v.pages, no_alignment, larger);
    extend(one, &Change::alignment, v.alignments, no_features, larger);
    extend(one, &Change::features, v.features, no_device, larger);
    extend(one, &Change::device, v.devices, true, larger);
  }
  return larger;
}

// What the class's spelling stands for on another device; an error if nothing.
Result<std::vector<Format>> formats_on(const LayerClass& c, const ModelGeometry& model,
                                       const Device& device) {
  return resolve(c.spelling, {.model_dtype = model.dtype,
                              .cache = c.geometry.cache,
                              .head_dim = c.geometry.head_dim,
                              .gfx = device.gfx,
                              .ds_mla = model.ds_mla});
}

class Search {
 public:
  Search(const std::vector<LayerClass>& classes, size_t refused, const ModelGeometry& model,
         const Device& device, const PlanOptions& options, const Catalog& catalog)
      : classes_(classes),
        refused_(refused),
        model_(model),
        device_(device),
        options_(options),
        catalog_(catalog) {
    for (const LayerClass& c : classes_) {
      served_now_.push_back(served(c, Change{}).has_value());
    }
  }

  // The refused class's cell under the change, if nothing that is served now is lost.
  std::optional<Cell> works(const Change& change) {
    const std::optional<Cell> cell = served_with(refused_, change);
    if (!cell) return std::nullopt;
    for (size_t c = 0; c < classes_.size(); ++c) {
      if (c != refused_ && served_now_[c] && !served_with(c, change)) return std::nullopt;
    }
    return cell;
  }

 private:
  // kv is the spelling of the refused class, so it holds for all classes that share it.
  std::optional<Cell> served_with(size_t c, const Change& change) {
    if (classes_[c].skipped == classes_[refused_].skipped) return served(classes_[c], change);
    Change others = change;
    others.kv.reset();
    return served(classes_[c], others);
  }

  std::optional<Cell> served(const LayerClass& c, const Change& change) {
    CellChoice choice{c.formats, options_.kv_cache.block_size, options_.kv_cache.layout};
    if (change.kv) {
      choice.formats = {*change.kv};
    } else if (change.device && change.device->gfx != device_.gfx) {
      Result<std::vector<Format>> other = formats_on(c, model_, *change.device);
      if (!other) return std::nullopt;
      choice.formats = *std::move(other);
    }
    if (change.block_size) choice.block_size = change.block_size;
    if (change.layout) choice.layout = change.layout;
    return server(c, change).first_served(choice);
  }

  // A server depends on no more than this key, so few are ever built.
  const ClassServer& server(const LayerClass& c, const Change& change) {
    const Device& device = change.device ? *change.device : device_;
    const PlanOptions options = with(options_, change);
    const Key key{c.layers.front(),        to_string(device), change.device.has_value(),
                  options.features.bits(), options.tensors,   options.pages,
                  options.alignment};
    const auto known = servers_.find(key);
    if (known != servers_.end()) return known->second;
    return servers_.emplace(key, ClassServer(c, model_, device, options, catalog_)).first->second;
  }

  const std::vector<LayerClass>& classes_;
  size_t refused_;
  const ModelGeometry& model_;
  const Device& device_;
  const PlanOptions& options_;
  const Catalog& catalog_;
  std::vector<bool> served_now_;
  using Key = std::tuple<int32_t, std::string, bool, uint64_t, Strides, Strides, int32_t>;
  std::map<Key, ClassServer> servers_;
};

// A larger form of what was found, or one block size too many.
bool adds_nothing(const Change& change, const std::vector<PlanAlternative>& found) {
  size_t of_this_kind = 0;
  for (const PlanAlternative& f : found) {
    if (is_part_of(f.change, change)) return true;
    if (change.block_size && same_but_block_size(f.change, change)) ++of_this_kind;
  }
  return of_this_kind >= kMaxBlockSizes;
}

}  // namespace

PlanOptions with(const PlanOptions& options, const Change& change) {
  PlanOptions changed = options;
  if (change.tensors) changed.tensors = *change.tensors;
  if (change.pages) changed.pages = *change.pages;
  if (change.alignment) changed.alignment = *change.alignment;
  if (change.features) changed.features = *change.features;
  return changed;
}

std::vector<PlanAlternative> plan_alternatives(const std::vector<LayerClass>& classes,
                                               size_t refused, const ModelGeometry& model,
                                               const Device& device, const PlanOptions& options,
                                               const Catalog& catalog) {
  const LayerClass& c = classes[refused];
  const Request asked = op_request(c, Op::kDecode, model, device, options);
  const Values values = possible_values(asked, options, catalog);
  Search search(classes, refused, model, device, options, catalog);
  std::vector<PlanAlternative> found;
  std::vector<Change> changes{Change{}};
  for (int keys = 1; keys <= 3; ++keys) {
    // Three keys at once only where nothing less helps.
    if (keys == 3 && !found.empty()) break;
    changes = next_size(changes, values);
    std::stable_sort(changes.begin(), changes.end(), [&](const Change& a, const Change& b) {
      return order(a, asked) < order(b, asked);
    });
    for (const Change& change : changes) {
      if (found.size() == kMaxAlternatives) return found;
      if (adds_nothing(change, found)) continue;
      const std::optional<Cell> cell = search.works(change);
      if (!cell) continue;
      const Device& where = change.device ? *change.device : device;
      Request request = op_request(c, Op::kDecode, model, where, with(options, change));
      request.kv = cell->kv;
      request.block_size = cell->block_size;
      request.layout = cell->layout;
      found.push_back({change, *cell, request});
    }
  }
  return found;
}

}  // namespace attnrt
