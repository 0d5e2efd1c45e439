#include <algorithm>

#include "attnrt/json.hpp"
#include "attnrt/text.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

std::string dim_text(HeadDim dim) {
  if (dim.qk == dim.v) return std::to_string(dim.qk);
  return std::to_string(dim.qk) + "," + std::to_string(dim.v);
}

}  // namespace

std::string kernel_text(uint32_t plugin, uint32_t kernel, const Catalog& catalog) {
  const Manifest& manifest = catalog.entries()[plugin].manifest;
  return manifest.name + " " + manifest.kernels[kernel].name;
}

std::string kernels_text(const std::vector<std::pair<Op, std::string>>& served) {
  std::vector<std::pair<std::string, std::vector<std::string>>> kernels;
  for (const auto& [op, kernel] : served) {
    auto same = [&](const auto& entry) { return entry.first == kernel; };
    auto it = std::find_if(kernels.begin(), kernels.end(), same);
    if (it == kernels.end()) it = kernels.insert(it, {kernel, {}});
    it->second.emplace_back(name(op));
  }
  std::vector<std::string> parts;
  for (const auto& [kernel, ops] : kernels) {
    parts.push_back(kernels.size() == 1 ? kernel : kernel + " (" + join(ops, ", ") + ")");
  }
  return join(parts, ", ");
}

// Pairs of head sizes, mostly; --json has all of it.
std::string allowed_text(const std::vector<std::string>& allowed) {
  constexpr size_t kShown = 12;
  if (allowed.empty()) return "-";
  if (allowed.size() <= kShown) return join(allowed, ", ");
  const std::vector<std::string> first(allowed.begin(), allowed.begin() + kShown);
  return join(first, ", ") + ", … (" + std::to_string(allowed.size()) + " in all)";
}

std::string request_text(const Request& request, const std::string& kv) {
  const std::string format(name(request.kv));
  std::vector<std::string> parts{
      std::string(name(request.op)) + " on " + to_string(request.device),
      std::to_string(request.query_tokens) + " query token" +
          (request.query_tokens == 1 ? "" : "s"),
      "q " + std::string(name(request.q)),
      "kv " + (kv == format || kv.empty() ? format : kv + " (" + format + ")"),
      std::to_string(request.q_heads) + "/" + std::to_string(request.kv_heads) + " heads of " +
          dim_text(request.head_dim),
      "block " + std::to_string(request.block_size),
      std::string(name(request.layout)),
      std::string(name(request.cache)) + " cache"};
  // What is usual is not worth a word.
  if (request.tensors != Strides::kPacked) parts.emplace_back("strided tensors");
  if (request.pages != Strides::kPacked) parts.emplace_back("strided pages");
  if (request.alignment != kUsualAlignment) {
    parts.push_back("multiples of " + std::to_string(request.alignment) + " bytes");
  }
  // append and merge know few features, and mostly none.
  if (!names_of(request.features).empty()) parts.push_back(join(names_of(request.features), "+"));
  if (request.out && *request.out != request.q) {
    parts.push_back("out " + std::string(name(*request.out)));
  }
  return join(parts, ", ");
}

std::string options_text(const Alternative& alternative) {
  std::string text;
  for (const auto& [key, value] : alternative.change) {
    const std::string option = key == "block_size" ? "block" : key;
    text += (text.empty() ? "--" : " --") + option + " " + value;
  }
  return text;
}

std::string candidates_text(const std::vector<Candidate>& candidates, const Request& request,
                            const Catalog& catalog, const Policy& policy, const std::string& kv) {
  TextTable table({"KERNEL", "RULE", "ASKED", "ALLOWED"});
  for (const Candidate& candidate : candidates) {
    std::string who = kernel_text(candidate.plugin, candidate.kernel, catalog);
    if (candidate.accepted()) table.add({who, "fits"});
    for (const FailedRule& rule : reasons(candidate, request, catalog, policy, kv)) {
      table.add({who, std::string(name(rule.rule)), rule.asked, allowed_text(rule.allowed)});
      who.clear();
    }
  }
  return table.to_string();
}

std::string alternatives_text(const std::vector<Alternative>& alternatives,
                              const Catalog& catalog) {
  TextTable table({"CHANGE", "SERVED BY", ">KV BYTES/TOKEN/LAYER"});
  for (const Alternative& alternative : alternatives) {
    table.add({options_text(alternative),
               kernel_text(alternative.plugin, alternative.kernel, catalog),
               number_text(alternative.kv_bytes_per_token, 6)});
  }
  return table.to_string();
}

}  // namespace attnrt::command
