#include "select/change.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>

#include "select/words.hpp"

namespace attnrt {
namespace {

// Bytes a token; formats whose bytes are not known come after all that are.
int64_t format_distance(Format format, const Request& asked) {
  if (!info(format).byte_layout_known) return (int64_t{1} << 48) + static_cast<int64_t>(format);
  Request other = asked;
  other.kv = format;
  const double bytes = std::abs(kv_bytes_per_token(other) - kv_bytes_per_token(asked));
  return static_cast<int64_t>(bytes) * kFormatCount + static_cast<int64_t>(format);
}

int64_t block_distance(int32_t block_size, int32_t asked) {
  const int64_t difference = int64_t{block_size} - asked;
  return std::abs(difference) * 2 + (difference > 0 ? 1 : 0);
}

int64_t device_distance(const Device& device, const Device& asked) {
  if (device.kind != asked.kind) return int64_t{1} << 32;
  return std::abs(int64_t{device.sm} - asked.sm);
}

// A device that needs nothing special is any CPU: the option `cpu`.
std::string device_text(const Device& device) {
  const bool any = device.kind == DeviceKind::kCpu && device.cpu_features.empty();
  return any ? "cpu" : to_string(device);
}

template <class T>
bool part(const std::optional<T>& a, const std::optional<T>& b) {
  return !a || a == b;
}

}  // namespace

ChangeOrder order(const Change& change, const Request& asked) {
  ChangeOrder o;
  o.keys.fill(9);
  const auto add = [&o](uint8_t key, int64_t distance) {
    o.keys[o.keys_changed] = key;
    o.distance[o.keys_changed] = distance;
    ++o.keys_changed;
  };
  if (change.layout) add(0, static_cast<int64_t>(*change.layout));
  if (change.block_size) add(1, block_distance(*change.block_size, asked.block_size));
  if (change.kv) add(2, format_distance(*change.kv, asked));
  if (change.tensors) add(3, 0);
  if (change.pages) add(4, 0);
  if (change.alignment) add(5, *change.alignment);
  if (change.features) {
    add(6, std::popcount(asked.features.bits()) - std::popcount(change.features->bits()));
  }
  if (change.device) {
    add(7, device_distance(*change.device, asked.device));
    o.device = device_text(*change.device);
  }
  return o;
}

Request apply(const Change& change, const Request& request) {
  Request r = request;
  if (change.layout) r.layout = *change.layout;
  if (change.block_size) r.block_size = *change.block_size;
  if (change.kv) r.kv = *change.kv;
  if (change.tensors) r.tensors = *change.tensors;
  if (change.pages) r.pages = *change.pages;
  if (change.alignment) r.alignment = *change.alignment;
  if (change.features) r.features = *change.features;
  if (change.device) r.device = *change.device;
  return r;
}

std::vector<std::pair<std::string, std::string>> to_texts(const Change& change) {
  std::vector<std::pair<std::string, std::string>> texts;
  if (change.layout) texts.emplace_back("layout", name(*change.layout));
  if (change.block_size) texts.emplace_back("block_size", std::to_string(*change.block_size));
  if (change.kv) texts.emplace_back("kv", name(*change.kv));
  if (change.tensors) texts.emplace_back("tensors", name(*change.tensors));
  if (change.pages) texts.emplace_back("pages", name(*change.pages));
  if (change.alignment) texts.emplace_back("alignment", std::to_string(*change.alignment));
  if (change.features) texts.emplace_back("features", to_string(*change.features));
  if (change.device) texts.emplace_back("device", device_text(*change.device));
  return texts;
}

bool is_part_of(const Change& a, const Change& b) {
  return part(a.layout, b.layout) && part(a.block_size, b.block_size) && part(a.kv, b.kv) &&
         part(a.tensors, b.tensors) && part(a.pages, b.pages) && part(a.alignment, b.alignment) &&
         part(a.features, b.features) && part(a.device, b.device);
}

bool same_but_block_size(const Change& a, const Change& b) {
  Change c = a;
  c.block_size = b.block_size;
  return c == b;
}

std::vector<int32_t> near_block_sizes(const KernelRow& row, const Catalog::Compiled& compiled,
                                      int32_t asked) {
  const IntSet& set = compiled.block_sizes[row.block_size];
  std::vector<int32_t> near = set.values;
  for (const IntRange& range : set.ranges) {
    const int64_t below = int64_t{asked} / range.multiple_of * range.multiple_of;
    for (int64_t step = -2; step <= 3; ++step) {
      const int64_t clamped =
          std::clamp<int64_t>(below + step * range.multiple_of, range.min, range.max);
      const auto value = static_cast<int32_t>(clamped / range.multiple_of * range.multiple_of);
      if (range.contains(value)) near.push_back(value);
      // The smallest member may lie above a minimum that is no multiple.
      if (range.contains(value + range.multiple_of)) near.push_back(value + range.multiple_of);
    }
  }
  std::sort(near.begin(), near.end(), [asked](int32_t a, int32_t b) {
    return block_distance(a, asked) < block_distance(b, asked);
  });
  near.erase(std::unique(near.begin(), near.end()), near.end());
  if (near.size() > kMaxBlockSizes) near.resize(kMaxBlockSizes);
  return near;
}

std::vector<Format> near_formats(uint32_t kv_bits, const Request& asked) {
  std::vector<Format> near;
  for (const FormatInfo& f : all_formats()) {
    const bool listed = (kv_bits >> static_cast<unsigned>(f.format) & 1) != 0;
    if (listed && format_exists(f.format, asked.cache, asked.head_dim)) near.push_back(f.format);
  }
  std::sort(near.begin(), near.end(), [&asked](Format a, Format b) {
    return format_distance(a, asked) < format_distance(b, asked);
  });
  return near;
}

std::vector<Device> near_devices(const KernelRow& row, const Catalog::Compiled& compiled,
                                 const Device& asked) {
  std::vector<Device> devices;
  const CatalogEntry& entry = compiled.entries[row.plugin];
  const KernelManifest& kernel = entry.manifest.kernels[row.kernel];
  switch (static_cast<DeviceKind>(row.device)) {
    case DeviceKind::kCpu: {
      if (compiled.plugins[row.plugin].impossible_cpu) break;
      Device cpu{.kind = DeviceKind::kCpu, .cpu_features = entry.manifest.needs_cpu};
      std::sort(cpu.cpu_features.begin(), cpu.cpu_features.end());
      const auto last = std::unique(cpu.cpu_features.begin(), cpu.cpu_features.end());
      cpu.cpu_features.erase(last, cpu.cpu_features.end());
      devices.push_back(std::move(cpu));
      break;
    }
    case DeviceKind::kCuda:
      for (int32_t sm : kernel.sm) devices.push_back({.kind = DeviceKind::kCuda, .sm = sm});
      break;
    case DeviceKind::kSimt:
      for (int32_t sm : kernel.sm) {
        devices.push_back({.kind = DeviceKind::kSimt, .ordinal = 0, .sm = sm});
      }
      break;
    case DeviceKind::kRocm:
      for (const std::string& gfx : kernel.gfx) {
        devices.push_back({.kind = DeviceKind::kRocm, .gfx = gfx});
      }
      break;
    case DeviceKind::kXpu:
      devices.push_back({.kind = DeviceKind::kXpu});
      break;
    default:
      break;  // of a later version
  }
  std::stable_sort(devices.begin(), devices.end(), [&asked](const Device& a, const Device& b) {
    return device_distance(a, asked) < device_distance(b, asked);
  });
  return devices;
}

}  // namespace attnrt
