#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "inputs.hpp"

namespace attnrt::conformance {
namespace {

struct Parts {
  std::vector<HostTensor> outs;
  std::vector<HostTensor> lses;
};

Parts make_parts(const Cell& cell, int count, int64_t tokens, int64_t heads) {
  Cell plain = cell;
  plain.fill = Fill::kNormal;
  Parts parts;
  for (int p = 0; p < count; ++p) {
    const auto stream = static_cast<uint32_t>(100 + 2 * p);
    parts.outs.push_back(make_tensor(cell, DType::kF32, tokens, heads, cell.head_dim.v, stream));
    parts.lses.push_back(make_tensor(plain, DType::kF32, tokens, heads, 1, stream + 1));
    // Token 0: no part sees a key. Token 1: the first part has weight 0 and holds NaN. Tokens 2 and
    // 3: lse whose exp is beyond every type, so that only differences will do.
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t t : {2, 3})
        parts.lses.back().set(t, h, 0, parts.lses.back().get(t, h, 0) + (t == 2 ? 900 : -900));
      parts.lses.back().set(0, h, 0, -INFINITY);
      if (p > 0) continue;
      parts.lses.back().set(1, h, 0, -INFINITY);
      for (int64_t i = 0; i < cell.head_dim.v; ++i) parts.outs.back().set(1, h, i, std::nan(""));
    }
  }
  return parts;
}

// The weights of a row's parts in double, and its lse.
struct Weights {
  std::vector<double> of_part;
  double lse = -INFINITY;
};
Weights weigh(const Parts& parts, int64_t t, int64_t h) {
  double most = -INFINITY, sum = 0;
  for (const HostTensor& l : parts.lses) most = std::max(most, l.get(t, h, 0));
  Weights w{std::vector<double>(parts.lses.size()), -INFINITY};
  if (std::isinf(most)) return w;
  for (const HostTensor& l : parts.lses) sum += std::exp(l.get(t, h, 0) - most);
  for (size_t p = 0; p < w.of_part.size(); ++p)
    w.of_part[p] = std::exp(parts.lses[p].get(t, h, 0) - most) / sum;
  w.lse = most + std::log(sum);
  return w;
}

double spacing(DType out) {
  switch (out) {
    case DType::kF64:
      return 0;
    case DType::kF32:
      return 0x1p-24;
    case DType::kF16:
      return 0x1p-11;
    case DType::kBf16:
      return 0x1p-8;
    default:
      return 0x1p-3;
  }
}

}  // namespace

Verdict check_merge(const Cell& cell, Subject& subject) {
  const int64_t tokens = 5;
  const int64_t heads = int64_t{cell.kv_heads} * cell.group;
  const int count = 1 + static_cast<int>(cell.seed % 5);
  const Parts parts = make_parts(cell, count, tokens, heads);
  const Parameters parameters = make_parameters(cell);
  const AttendResult found = subject.merge(cell, parts.outs, parts.lses, parameters);
  const double least = element_bytes(cell.out) == 1 ? 0x1p-10 : 0x1p-25;
  const double scale = static_cast<double>(parameters.out_scale);
  double worst = 0;
  auto near = [&](int64_t t, int64_t h, const char* what, double is, double expected,
                  double bound) {
    if (is == expected || (std::isnan(is) && std::isnan(expected))) return std::string();
    const double error = std::abs(is - expected);
    if (!(error <= bound))
      return fmt::format("token {}, head {}: {} is {}, expected {} within {}", t, h, what, is,
                         expected, bound);
    worst = std::max(worst, error / bound);
    return std::string();
  };
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t h = 0; h < heads; ++h) {
      const Weights w = weigh(parts, t, h);
      std::string complaint =
          near(t, h, "lse", found.lse.get(t, h, 0), w.lse, 16 * 0x1p-24 * (1 + std::abs(w.lse)));
      for (int64_t i = 0; i < cell.head_dim.v && complaint.empty(); ++i) {
        double out = 0, magnitude = 0;
        for (size_t p = 0; p < w.of_part.size(); ++p) {
          if (w.of_part[p] == 0) continue;
          out += w.of_part[p] * parts.outs[p].get(t, h, i) / scale;
          magnitude += w.of_part[p] * std::abs(parts.outs[p].get(t, h, i)) / scale;
        }
        // Two exp (2^-22 each), a sum and a product a part in f32, then out's own rounding.
        const double bound = (2 * count + 16) * 0x1p-24 * magnitude +
                             std::max(spacing(cell.out) * std::abs(out), least);
        complaint = near(t, h, "out", found.out.get(t, h, i), saturated(cell.out, out), bound);
      }
      if (!complaint.empty())
        return {.kind = Verdict::Kind::kFailed, .reason = complaint, .worst_share = worst};
    }
  }
  return {.worst_share = worst};
}

}  // namespace attnrt::conformance
