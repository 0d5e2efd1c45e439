#include "axes.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "attnrt/format.hpp"
#include "pairwise.hpp"

namespace attnrt::conformance {
namespace {

template <class T>
void add_once(std::vector<T>& list, T value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

std::vector<int32_t> sample_range(const IntRange& range) {
  const int32_t m = range.multiple_of;
  const int32_t first = (range.min + m - 1) / m * m;
  const int32_t last = range.max / m * m;
  std::vector<int32_t> values;
  if (first > last) return values;
  add_once(values, first);
  add_once(values, last);
  for (int32_t p = 1; p <= last / 2 + 1; p *= 2)
    if (range.contains(p)) add_once(values, p);
  // One odd multiple: what a power-of-two kernel would get wrong.
  const int32_t odd = m * 3 >= first ? m * 3 : (first / m + 1 + (first / m) % 2) * m;
  if (range.contains(odd)) add_once(values, odd);
  return values;
}

constexpr Feature kMasks[] = {Feature::kCausal, Feature::kNonCausal, Feature::kCross,
                              Feature::kTreeMask, Feature::kPrefixLm};
constexpr Feature kSwitches[] = {Feature::kWindow,         Feature::kSinks, Feature::kSoftcap,
                                 Feature::kAlibi,          Feature::kLse,   Feature::kPerHeadScales,
                                 Feature::kBatchInvariant, Feature::kGraph};

template <class E, int kFirst, int kLast>
std::vector<E> members(EnumSet<E> set) {
  std::vector<E> values;
  for (int v = kFirst; v <= kLast; ++v)
    if (set.contains(static_cast<E>(v))) values.push_back(static_cast<E>(v));
  return values;
}

// Axes whose values can contradict each other; the others never do, or only when a feature is on.
enum class Tag : uint8_t { kKv, kCache, kHeadDim, kKvHeads, kFree };
using Known = EnumSet<Tag>;

// An axis: how many values it has and how one of them is put into a cell.
struct Axis {
  Tag tag;
  int32_t size;
  std::function<void(Cell&, int32_t)> put;
};

template <class T, class Put>
Axis axis(Tag tag, std::vector<T> values, Put put) {
  const auto size = static_cast<int32_t>(values.size());
  return {tag, size, [values = std::move(values), put](Cell& cell, int32_t i) {
            put(cell, values[static_cast<size_t>(i)]);
          }};
}
template <class T, class Put>
Axis axis(std::vector<T> values, Put put) {
  return axis(Tag::kFree, std::move(values), put);
}

// All values, without one where it is not listed.
template <class E, size_t N>
std::vector<E> without(const E (&all)[N], E value, bool is_listed) {
  std::vector<E> values(std::begin(all), std::end(all));
  if (!is_listed) std::erase(values, value);
  return values;
}

// The axes that can contradict each other come first: a dead end is then found early.
std::vector<Axis> axes_of(const KernelManifest& k, Op op) {
  std::vector<Axis> axes;
  if (op != Op::kMerge) {
    axes.push_back(axis(Tag::kKv, members<Format, 0, kFormatCount - 1>(k.kv),
                        [](Cell& c, Format v) { c.kv = v; }));
    axes.push_back(axis(Tag::kCache, members<CacheKind, 1, 2>(k.cache),
                        [](Cell& c, CacheKind v) { c.cache = v; }));
  }
  axes.push_back(
      axis(Tag::kHeadDim, sample(k.head_dim), [](Cell& c, HeadDim v) { c.head_dim = v; }));
  axes.push_back(
      axis(Tag::kKvHeads, std::vector<int32_t>{1, 3}, [](Cell& c, int32_t v) { c.kv_heads = v; }));
  axes.push_back(axis(members<DType, 1, 7>(k.q), [](Cell& c, DType v) { c.q = v; }));
  if (!k.out.empty())
    axes.push_back(axis(members<DType, 1, 7>(k.out), [](Cell& c, DType v) { c.out = v; }));
  axes.push_back(axis(without(kFills, Fill::kStrided, k.tensors.contains(Strides::kStrided)),
                      [](Cell& c, Fill v) { c.fill = v; }));
  // merge needs no group: parts have query heads only.
  const std::vector<int32_t> groups =
      op == Op::kMerge ? std::vector<int32_t>{1, 4} : sample(k.group);
  if (op != Op::kAppend) axes.push_back(axis(groups, [](Cell& c, int32_t v) { c.group = v; }));
  if (op == Op::kMerge) return axes;

  axes.push_back(axis(sample(k.block_size), [](Cell& c, int32_t v) { c.block_size = v; }));
  axes.push_back(axis(members<Layout, 1, 2>(k.layout), [](Cell& c, Layout v) { c.layout = v; }));
  axes.push_back(axis(without(kPageShapes, PageShape::kPadded, k.pages.contains(Strides::kStrided)),
                      [](Cell& c, PageShape v) { c.pages = v; }));
  axes.push_back(axis(std::vector<BatchShape>(std::begin(kBatchShapes), std::end(kBatchShapes)),
                      [](Cell& c, BatchShape v) { c.batch = v; }));
  if (op == Op::kDecode) {
    const IntSet tokens{{}, {IntRange{1, 1, k.max_query_tokens}}};
    axes.push_back(axis(sample(tokens), [](Cell& c, int32_t v) { c.query_tokens = v; }));
  }
  if (op != Op::kAppend) {
    std::vector<Feature> masks;
    for (Feature mask : kMasks)
      if (k.features.contains(mask)) masks.push_back(mask);
    axes.push_back(axis(masks, [](Cell& c, Feature m) { c.features.insert(m); }));
  }
  for (Feature feature : kSwitches) {
    if (!k.features.contains(feature)) continue;
    if (op == Op::kAppend && feature != Feature::kPerHeadScales) continue;
    axes.push_back(axis(std::vector<int32_t>{0, 1}, [feature](Cell& c, int32_t on) {
      if (on) c.features.insert(feature);
    }));
  }
  return axes;
}

bool has_tensor_scale(Format format) {
  return info(format).scales == ScaleKind::kNone || format == Format::kNvfp4Linear ||
         format == Format::kNvfp4Swizzled || format == Format::kNvfp4FourOverSix;
}

// Whether what is known of the cell can be asked for at all: facts of formats, caches and masks,
// not of kernels.
bool meaningful(const Cell& c, Known known) {
  const bool latent = known.contains(Tag::kCache) && c.cache == CacheKind::kLatent;
  const bool separate = known.contains(Tag::kCache) && c.cache == CacheKind::kSeparate;
  if (known.contains(Tag::kKv)) {
    if (separate && info(c.kv).latent_only) return false;
    if (c.features.contains(Feature::kPerHeadScales) && !has_tensor_scale(c.kv)) return false;
    if (known.contains(Tag::kCache) && known.contains(Tag::kHeadDim) &&
        !page_bytes({c.kv, c.cache, c.head_dim, 1, c.block_size}).ok())
      return false;
  }
  if (latent && known.contains(Tag::kKvHeads) && c.kv_heads != 1) return false;
  if (latent && known.contains(Tag::kHeadDim) && c.head_dim.v > c.head_dim.qk) return false;
  // Positions have no meaning across sequences.
  const Features f = c.features;
  return !f.contains(Feature::kCross) ||
         !(f.contains(Feature::kWindow) || f.contains(Feature::kAlibi));
}

struct PartialCell {
  Cell cell;
  Known known;
};

PartialCell cell_of(const KernelManifest& kernel, Op op, const std::vector<Axis>& axes,
                    const Row& row) {
  PartialCell partial;
  partial.cell.kernel = kernel.name;
  partial.cell.op = op;
  for (size_t a = 0; a < axes.size(); ++a) {
    if (row[a] == kOpen) continue;
    axes[a].put(partial.cell, row[a]);
    partial.known.insert(axes[a].tag);
  }
  if (kernel.out.empty()) partial.cell.out = partial.cell.q;
  partial.cell.alignment = std::max(4, kernel.alignment);
  partial.cell.whole_blocks = !kernel.pages.contains(Strides::kStrided);
  return partial;
}

// Whether packed rows begin where the kernel's alignment wants them; else no request has them.
bool rows_aligned(const Cell& c, Known known, const KernelManifest& kernel) {
  if (kernel.alignment == 1 || !known.contains(Tag::kHeadDim)) return true;
  const int64_t tensors = element_bytes(c.q) * c.head_dim.qk | element_bytes(c.out) * c.head_dim.v;
  if (tensors % kernel.alignment != 0) return false;
  const bool page_known = known.contains(Tag::kKv) && known.contains(Tag::kCache);
  if (!page_known || c.pages == PageShape::kPadded) return true;
  const auto rows = row_alignment({c.kv, c.cache, c.head_dim, c.kv_heads, c.block_size});
  return rows.ok() && *rows >= kernel.alignment;
}

bool attends(Op op) {
  return op != Op::kAppend && op != Op::kMerge;
}

// Each listed mask by itself, each switch beside the causal one.
std::vector<Features> single_features(const KernelManifest& kernel) {
  std::vector<Features> all;
  for (Feature mask : kMasks)
    if (kernel.features.contains(mask)) all.push_back({mask});
  for (Feature feature : kSwitches)
    if (kernel.features.contains(feature) && kernel.features.contains(Feature::kCausal))
      all.push_back({Feature::kCausal, feature});
  return all;
}

// Bounds are widest where weights may be bf16, and pairs alone seldom bring a mask there: each mask
// and switch once more, on plain numbers.
void add_bf16_cells(const KernelManifest& kernel, Op op, std::vector<Cell>& cells) {
  const auto base =
      std::find_if(cells.begin(), cells.end(), [](const Cell& c) { return c.kv == Format::kBf16; });
  if (!attends(op) || base == cells.end() || !kernel.q.contains(DType::kBf16)) return;
  Cell cell = *base;
  cell.q = DType::kBf16;
  if (kernel.out.empty()) cell.out = cell.q;
  cell.fill = Fill::kNormal;
  for (const Features& features : single_features(kernel)) {
    cell.features = features;
    for (BatchShape batch : {BatchShape::kRagged, BatchShape::kLongContext}) {
      cell.batch = batch;
      cell.query_tokens = op == Op::kDecode ? kernel.max_query_tokens : 1;
      cell.seed = static_cast<uint32_t>(cells.size()) + 1;
      cells.push_back(cell);
    }
  }
}

// Every format with every head size and every feature by itself; what else there is, as the first
// cell has it that holds the format and the size. Mixed batches are prefills and decodes.
void add_crossed_cells(const KernelManifest& kernel, Op op, std::vector<Cell>& cells) {
  if (!attends(op) || op == Op::kMixed) return;
  std::vector<Cell> bases;
  for (const Cell& c : cells) {
    const auto same = [&](const Cell& b) {
      return b.kv == c.kv && b.cache == c.cache && b.head_dim == c.head_dim;
    };
    if (std::none_of(bases.begin(), bases.end(), same)) bases.push_back(c);
  }
  const Known all{Tag::kKv, Tag::kCache, Tag::kHeadDim, Tag::kKvHeads, Tag::kFree};
  for (Cell cell : bases) {
    cell.batch = BatchShape::kRagged;
    for (const Features& features : single_features(kernel)) {
      cell.features = features;
      if (!meaningful(cell, all)) continue;
      cell.seed = static_cast<uint32_t>(cells.size()) + 1;
      cells.push_back(cell);
    }
  }
}

}  // namespace

std::vector<int32_t> sample(const IntSet& set) {
  std::vector<int32_t> values = set.values;
  for (const IntRange& range : set.ranges)
    for (int32_t v : sample_range(range)) add_once(values, v);
  return values;
}

std::vector<HeadDim> sample(const HeadDimSet& set) {
  std::vector<HeadDim> values = set.pairs;
  for (const IntRange& range : set.ranges)
    for (int32_t v : sample_range(range)) add_once(values, HeadDim{v, v});
  return values;
}

std::vector<Cell> unlisted_rows(const KernelManifest& kernel, Op op) {
  std::vector<Cell> cells;
  const CellList list = cells_of(kernel, op);
  if (list.cells.empty() || op == Op::kMerge) return cells;
  Cell base = list.cells.front();
  base.batch = BatchShape::kRagged;
  base.pages = PageShape::kTight;
  base.fill = Fill::kNormal;
  const auto add = [&](auto change) {
    cells.push_back(base);
    change(cells.back());
  };
  if (!kernel.tensors.contains(Strides::kStrided)) {
    add([](Cell& c) { c.fill = Fill::kStrided; });
  }
  if (!kernel.pages.contains(Strides::kStrided)) {
    add([](Cell& c) {
      c.pages = PageShape::kPadded;
      c.whole_blocks = false;
    });
  }
  if (kernel.alignment > 4) {
    add([](Cell& c) { c.tensor_shift = c.alignment / 2; });
    add([](Cell& c) { c.page_shift = c.alignment / 2; });
  }
  return cells;
}

CellList cells_of(const KernelManifest& kernel, Op op, Coverage coverage) {
  const std::vector<Axis> axes = axes_of(kernel, op);
  std::vector<int32_t> sizes;
  for (const Axis& a : axes) {
    if (a.size == 0) return {};
    sizes.push_back(a.size);
  }
  auto possible = [&](const Row& row) {
    const PartialCell partial = cell_of(kernel, op, axes, row);
    return meaningful(partial.cell, partial.known) &&
           rows_aligned(partial.cell, partial.known, kernel);
  };
  Covering covering = cover_pairs(sizes, possible);
  CellList list{{}, covering.pairs, covering.impossible_pairs};
  uint32_t seed = 1;
  for (const Row& row : covering.rows) {
    list.cells.push_back(cell_of(kernel, op, axes, row).cell);
    list.cells.back().seed = seed++;
  }
  add_bf16_cells(kernel, op, list.cells);
  if (coverage == Coverage::kCrossed) add_crossed_cells(kernel, op, list.cells);
  return list;
}

}  // namespace attnrt::conformance
