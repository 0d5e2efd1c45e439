// cudnn_manifest [FILE]: writes manifest.yaml as cuDNN answers, to standard output; with FILE,
// compares that with it. Needs no GPU, but a libcuda.so.1: the toolkit's stub will do.
//
// Ends with 0; 1 where FILE differs; 77 where cuDNN is not there, or is not the one that FILE was
// written from.
#include <algorithm>
#include <attnrt/plugin/error.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

#include "matrix.hpp"

namespace attnrt::cudnn {
namespace {

constexpr int kSkipped = 77;

template <class List>
std::string joined(const List& list) {
  std::string text;
  for (const auto& value : list) text += (text.empty() ? "" : ", ") + plugin::message(value);
  return "[" + text + "]";
}

void write_kernel(const KernelSupport& kernel, const Box& box, const std::vector<int32_t>& sms,
                  bool alone, std::ostream& out) {
  const std::string_view format = format_name(kernel.dtype);
  const bool decode = kernel.op == ATTNRT_OP_DECODE;
  out << "  - name: " << kernel.name << '\n';
  if (!alone) out << "    # not on every SM\n";
  out << "    device: cuda\n"
      << "    sm: " << joined(sms) << '\n'
      << "    op: [" << (decode ? "decode" : "prefill") << "]\n"
      << "    q: [" << format << "]\n"
      << "    kv: [" << format << "]\n"
      << "    cache: [separate]\n"
      << "    head_dim: " << joined(box.head_dims) << '\n'
      << "    block_size: " << joined(box.block_sizes) << '\n'
      << "    layout: [nhd, hnd]\n"
      << "    group: {max: " << kMaxGroup << "}\n"
      << "    features: [causal, non_causal, cross, window, lse, graph]\n"
      << "    tensors: [packed]\n"  // a plan's strides are fixed before a batch's are known
      << "    pages: [packed]\n"
      << "    alignment: " << kAlignment
      << '\n'
      // Below ours until it has been seen on a GPU; a measured profile knows better.
      << "    score: " << (decode ? 40 : 50) << '\n';
}

std::string first_line(const std::string& version) {
  return "# Written by cudnn_manifest as " + version + " answers, not by hand.\n";
}

std::string manifest(const std::string& version) {
  std::ostringstream out;
  out << first_line(version) << R"(attnrt_manifest: 1
plugin:
  name: cudnn
  version: 0.1.0
  vendor: attnrt
  license: Apache-2.0
  description: Prefill and decode over paged caches of 16 bits by NVIDIA cuDNN.
abi: 1
needs: {libraries: [libcudnn.so.9]}

kernels:
)";
  for (const KernelSupport& kernel : kKernels) {
    std::vector<std::pair<Box, std::vector<int32_t>>> boxes;
    for (const int32_t sm : kSms) {
      const Box box = find_box(kernel, sm, why_unsupported);
      if (box.head_dims.empty() || box.block_sizes.empty()) continue;
      auto same = std::find_if(boxes.begin(), boxes.end(),
                               [&](const auto& known) { return known.first == box; });
      if (same == boxes.end()) same = boxes.insert(boxes.end(), {box, {}});
      same->second.push_back(sm);
    }
    for (const auto& [box, sms] : boxes) write_kernel(kernel, box, sms, boxes.size() == 1, out);
  }
  return out.str();
}

// Says which line is the first that differs.
int compare(const std::string& written, const std::string& found, const char* path) {
  std::istringstream expected(written);
  std::istringstream given(found);
  std::string a, b;
  for (int line = 1;; ++line) {
    const bool more = bool(std::getline(expected, a));
    if (more != bool(std::getline(given, b)) || (more && a != b)) {
      std::cerr << path << ':' << line << ": '" << b << "', but cuDNN answers '" << a
                << "': write it anew with cudnn_manifest > " << path << '\n';
      return 1;
    }
    if (!more) return 0;
  }
}

int run(const char* path) {
  const std::string version = library_version();
  if (path == nullptr) {
    std::cout << manifest(version);
    return 0;
  }
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!text.str().starts_with(first_line(version))) {
    std::cerr << "skipped: " << path << " was not written from " << version << ", which is here\n";
    return kSkipped;
  }
  return compare(manifest(version), text.str(), path);
}

}  // namespace
}  // namespace attnrt::cudnn

int main(int count, char** arguments) {
  try {
    return attnrt::cudnn::run(count > 1 ? arguments[1] : nullptr);
  } catch (const attnrt::PluginError& error) {
    std::cerr << "skipped: " << error.what() << '\n';
    return error.status() == ATTNRT_UNAVAILABLE ? attnrt::cudnn::kSkipped : 1;
  }
}
