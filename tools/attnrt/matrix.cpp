#include "attnrt/matrix.hpp"

#include <algorithm>
#include <optional>

#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

// Bits of an EnumSet as the names of its members.
template <class E>
std::vector<std::string> set_names(EnumSet<E> set) {
  std::vector<std::string> names;
  for (int i = 0; i < 64; ++i) {
    const auto value = static_cast<E>(i);
    if (set.contains(value)) names.emplace_back(name(value));
  }
  return names;
}

std::string device_text(const KernelManifest& kernel) {
  if (!kernel.device) return "unknown";
  std::string text(name(*kernel.device));
  std::vector<std::string> targets = kernel.gfx;
  for (int32_t sm : kernel.sm) targets.push_back(std::to_string(sm));
  return targets.empty() ? text : text + " " + join(targets, " ");
}

std::string ops_text(const KernelManifest& kernel) {
  std::vector<std::string> ops = set_names(kernel.ops);
  for (std::string& op : ops) {
    if (op == name(Op::kDecode) && kernel.max_query_tokens > 1) {
      op += " (≤" + std::to_string(kernel.max_query_tokens) + " tokens)";
    }
  }
  return join(ops, ", ");
}

std::string out_text(const KernelManifest& kernel) {
  return kernel.out.empty() ? "" : " → " + join(set_names(kernel.out), ", ");
}

// What is demanded of where rows stand: "packed pages, 16 bytes".
std::string strides_text(const KernelManifest& kernel) {
  std::vector<std::string> demands;
  if (!kernel.tensors.contains(Strides::kStrided)) demands.emplace_back("packed tensors");
  if (!kernel.pages.contains(Strides::kStrided)) demands.emplace_back("packed pages");
  if (kernel.alignment > 1) demands.push_back(std::to_string(kernel.alignment) + " bytes");
  return demands.empty() ? "any" : join(demands, ", ");
}

bool attends(const KernelManifest& kernel) {
  return kernel.ops.contains(Op::kDecode) || kernel.ops.contains(Op::kPrefill) ||
         kernel.ops.contains(Op::kMixed);
}

void add_unique(std::vector<std::string>& list, const std::string& text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

// A plugin's targets for a format on one kind of device: "90, 100, 103", "" without any such.
std::optional<std::string> targets(const Manifest& manifest, Format format, DeviceKind device) {
  std::vector<int32_t> sms;
  std::vector<std::string> list;
  bool any = false;
  for (const KernelManifest& kernel : manifest.kernels) {
    if (kernel.device != device || !attends(kernel) || !kernel.kv.contains(format)) continue;
    any = true;
    sms.insert(sms.end(), kernel.sm.begin(), kernel.sm.end());
    for (const std::string& gfx : kernel.gfx) add_unique(list, gfx);
  }
  if (!any) return std::nullopt;
  std::sort(sms.begin(), sms.end());
  for (int32_t sm : sms) add_unique(list, std::to_string(sm));
  return join(list, ", ");
}

std::string cell(const std::vector<Manifest>& manifests, Format format, DeviceKind device) {
  std::vector<std::string> plugins;
  for (const Manifest& manifest : manifests) {
    const std::optional<std::string> where = targets(manifest, format, device);
    if (where) plugins.push_back(manifest.name + (where->empty() ? "" : " " + *where));
  }
  return join(plugins, "; ");
}

std::string markdown_row(const std::vector<std::string>& cells) {
  return "| " + join(cells, " | ") + " |\n";
}

std::string markdown_head(const std::vector<std::string>& cells) {
  return markdown_row(cells) + markdown_row(std::vector<std::string>(cells.size(), "---"));
}

std::vector<std::string> or_dash(std::vector<std::string> cells) {
  for (std::string& text : cells) {
    if (text.empty()) text = "–";
  }
  return cells;
}

Json ints_json(const IntSet& set) {
  return to_string(set);
}

Json kernel_json(const KernelManifest& kernel) {
  return {{"name", kernel.name},
          {"device", kernel.device ? Json(name(*kernel.device)) : Json(nullptr)},
          {"sm", kernel.sm},
          {"gfx", kernel.gfx},
          {"op", set_names(kernel.ops)},
          {"query_tokens", kernel.max_query_tokens},
          {"q", set_names(kernel.q)},
          {"out", set_names(kernel.out.empty() ? kernel.q : kernel.out)},
          {"kv", set_names(kernel.kv)},
          {"cache", set_names(kernel.cache)},
          {"head_dim", to_string(kernel.head_dim)},
          {"block_size", ints_json(kernel.block_size)},
          {"layout", set_names(kernel.layout)},
          {"group", ints_json(kernel.group)},
          {"features", names_of(kernel.features)},
          {"tensors", set_names(kernel.tensors)},
          {"pages", set_names(kernel.pages)},
          {"alignment", kernel.alignment},
          {"score", kernel.score},
          {"unknown_keys", kernel.unknown_keys}};
}

}  // namespace

std::vector<std::string> matrix_row(const Manifest& manifest, const KernelManifest& kernel) {
  return {manifest.name,
          kernel.name,
          device_text(kernel),
          ops_text(kernel),
          join(set_names(kernel.q), ", ") + out_text(kernel),
          join(set_names(kernel.kv), ", "),
          join(set_names(kernel.cache), ", "),
          to_string(kernel.head_dim),
          to_string(kernel.block_size),
          join(set_names(kernel.layout), ", "),
          to_string(kernel.group),
          join(names_of(kernel.features), ", "),
          strides_text(kernel),
          std::to_string(kernel.score)};
}

std::vector<std::string> FormatTable::header() const {
  std::vector<std::string> titles{"format"};
  for (DeviceKind device : devices) titles.emplace_back(name(device));
  return titles;
}

FormatTable format_table(const std::vector<Manifest>& manifests) {
  FormatTable table;
  for (const Manifest& manifest : manifests) {
    for (const KernelManifest& kernel : manifest.kernels) {
      if (!kernel.device || !attends(kernel)) continue;
      auto& devices = table.devices;
      if (std::find(devices.begin(), devices.end(), *kernel.device) == devices.end()) {
        devices.push_back(*kernel.device);
      }
    }
  }
  std::sort(table.devices.begin(), table.devices.end());
  for (const FormatInfo& format : all_formats()) {
    FormatRow row{std::string(format.name), {}};
    for (DeviceKind device : table.devices)
      row.cells.push_back(cell(manifests, format.format, device));
    const bool any = std::any_of(row.cells.begin(), row.cells.end(),
                                 [](const std::string& text) { return !text.empty(); });
    if (any) table.rows.push_back(std::move(row));
  }
  return table;
}

std::string matrix_markdown(const std::vector<Manifest>& manifests) {
  const FormatTable formats = format_table(manifests);
  std::string text =
      "## KV formats\n\nWhich plugins attend over a cache of a format, and on which devices.\n\n" +
      markdown_head(formats.header());
  for (const FormatRow& row : formats.rows) {
    std::vector<std::string> cells{row.format};
    cells.insert(cells.end(), row.cells.begin(), row.cells.end());
    text += markdown_row(or_dash(std::move(cells)));
  }
  text +=
      "\n## Kernels\n\nA kernel serves what lies in all of its lists; a plugin serves what any "
      "of its kernels serves.\n\n" +
      markdown_head(kMatrixHeader);
  for (const Manifest& manifest : manifests) {
    for (const KernelManifest& kernel : manifest.kernels) {
      text += markdown_row(or_dash(matrix_row(manifest, kernel)));
    }
  }
  return text;
}

Json matrix_json(const std::vector<Manifest>& manifests) {
  Json json = {{"plugins", Json::array()}};
  for (const Manifest& manifest : manifests) {
    Json kernels = Json::array();
    for (const KernelManifest& kernel : manifest.kernels) kernels.push_back(kernel_json(kernel));
    json["plugins"].push_back({{"name", manifest.name},
                               {"version", manifest.version},
                               {"vendor", manifest.vendor},
                               {"description", manifest.description},
                               {"kernels", std::move(kernels)}});
  }
  return json;
}

}  // namespace attnrt::command
