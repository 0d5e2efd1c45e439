// Random manifests and requests from small domains, so that hits and near misses are both common.
#pragma once

#include <random>

#include "tests/select/catalogs.hpp"

namespace attnrt::test {

class RandomCatalogs {
 public:
  explicit RandomCatalogs(uint32_t seed) : random_(seed) {}

  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  bool chance(uint32_t percent) { return below(100) < percent; }

  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(static_cast<uint32_t>(values.size()))];
  }
  template <class E>
  EnumSet<E> some_of(std::initializer_list<E> values, uint32_t percent) {
    EnumSet<E> set;
    for (E v : values) {
      if (chance(percent)) set.insert(v);
    }
    if (set.empty()) set.insert(one_of(values));
    return set;
  }

  KernelManifest kernel(std::string name) {
    KernelManifest k;
    k.name = std::move(name);
    k.device = one_of({DeviceKind::kCpu, DeviceKind::kCpu, DeviceKind::kCuda, DeviceKind::kRocm});
    if (k.device == DeviceKind::kCuda) k.sm = one_of<std::vector<int32_t>>({{80, 90}, {100, 103}});
    if (k.device == DeviceKind::kRocm) k.gfx = {one_of<std::string>({"gfx942", "gfx950"})};
    if (chance(3)) k.device.reset();
    k.ops = some_of(kOps, 60);
    k.max_query_tokens = one_of({1, 1, 4});
    k.q = some_of({DType::kF32, DType::kBf16, DType::kF16}, 60);
    if (chance(30)) k.out = some_of({DType::kF32, DType::kBf16}, 50);
    k.kv = some_of(kFormats, 40);
    k.cache = some_of({CacheKind::kSeparate, CacheKind::kLatent}, 60);
    k.head_dim.pairs = {{64, 64}};
    if (chance(50)) k.head_dim.pairs.push_back({576, 512});
    if (chance(50)) k.head_dim.ranges.push_back({8, 64, 128});
    if (chance(60)) k.block_size.values = {16, one_of({32, 64})};
    if (k.block_size.values.empty() || chance(30)) k.block_size.ranges = {{16, 32, 128}};
    k.layout = some_of({Layout::kNhd, Layout::kHnd}, 60);
    k.group.ranges = {{1, 1, one_of({1, 4, 8})}};
    k.features = some_of(kFeatures, 70);
    k.features.insert(Feature::kCausal);
    if (chance(30)) k.tensors = some_of({Strides::kPacked, Strides::kStrided}, 50);
    if (chance(30)) k.pages = some_of({Strides::kPacked, Strides::kStrided}, 50);
    if (chance(30)) k.alignment = one_of({8, 16, 32});
    k.score = static_cast<int32_t>(below(3)) * 10;
    if (chance(3)) k.unknown_keys = {"later"};
    return k;
  }

  CatalogEntry plugin(std::string name) {
    CatalogEntry entry;
    entry.manifest.name = std::move(name);
    for (uint32_t i = 1 + below(3); i > 0; --i) {
      entry.manifest.kernels.push_back(kernel("k" + std::to_string(i)));
    }
    if (chance(20)) entry.manifest.needs_cpu = {"avx2"};
    if (chance(10)) entry.missing_libraries = {"libabsent.so"};
    if (chance(3)) entry.manifest.abi = 2;
    return entry;
  }

  std::vector<CatalogEntry> plugins(uint32_t most) {
    std::vector<CatalogEntry> entries;
    const uint32_t count = 1 + below(most);
    for (uint32_t i = 0; i < count; ++i) {
      entries.push_back(plugin(std::string(1, static_cast<char>('f' - i))));
    }
    return entries;
  }

  Request request() {
    Request r;
    switch (below(4)) {
      case 0:
        r.device = cuda(one_of({90, 100, 120}));
        break;
      case 1:
        r.device = {.kind = DeviceKind::kRocm, .gfx = "gfx942"};
        break;
      default:
        r.device =
            cpu(chance(70) ? std::vector<std::string>{"avx2", "fma"} : std::vector<std::string>{});
    }
    if (chance(50)) r.device.ordinal = 0;
    r.op = one_of(kOps);
    r.query_tokens = one_of({1, 1, 2, 8});
    r.q = one_of({DType::kF32, DType::kBf16, DType::kF16});
    if (chance(20)) r.out = one_of({DType::kF32, DType::kBf16});
    r.kv = one_of(kFormats);
    r.cache = one_of({CacheKind::kSeparate, CacheKind::kSeparate, CacheKind::kLatent});
    r.head_dim = one_of<HeadDim>({{64, 64}, {72, 72}, {128, 128}, {576, 512}});
    r.q_heads = 8;
    r.kv_heads = one_of({1, 2, 4, 8});
    r.block_size = one_of({16, 24, 32, 64, 128});
    r.layout = one_of({Layout::kNhd, Layout::kHnd});
    r.tensors = one_of({Strides::kPacked, Strides::kPacked, Strides::kStrided});
    r.pages = one_of({Strides::kPacked, Strides::kPacked, Strides::kStrided});
    r.alignment = one_of({16, 16, 4, 64});
    r.features = chance(50) ? Features{} : some_of(kFeatures, 25);
    return normalised(r);
  }

  Policy policy(uint32_t plugins) {
    Policy p;
    const auto name = [&] { return std::string(1, static_cast<char>('f' - below(plugins))); };
    if (chance(20)) p.prefer = {name()};
    if (chance(15)) p.deny = {name()};
    if (chance(10)) p.require = name();
    return p;
  }

 private:
  static constexpr std::initializer_list<Op> kOps{Op::kAppend, Op::kPrefill, Op::kDecode,
                                                  Op::kMixed, Op::kMerge};
  static constexpr std::initializer_list<Format> kFormats{
      Format::kBf16,        Format::kF16,         Format::kFp8E4m3,
      Format::kNvfp4Linear, Format::kFp8DsMlaV32, Format::kTurboquantK8v4};
  static constexpr std::initializer_list<Feature> kFeatures{
      Feature::kWindow, Feature::kSinks, Feature::kBatchInvariant, Feature::kGraph, Feature::kLse};

  std::mt19937 random_;
};

}  // namespace attnrt::test
