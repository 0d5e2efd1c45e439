#include "judge.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "tests/support/error_bound.hpp"

namespace attnrt::conformance {
namespace {

// A stored element differs from the appended one by at most so much of its row's largest: a quarter
// (e2m1, the coarsest, has half a spacing of 1/6 and a rounded scale), but in the rotated formats
// one element gathers the errors of a whole row, each at most a fifteenth of the sum of magnitudes.
double stored_slack(Format format, int64_t width) {
  const bool rotated = format == Format::kInt4PerTokenHead || format == Format::kInt4PerTokenHeadZp;
  return rotated ? static_cast<double>(width) / 15 : 0.25;
}

// What is not finite makes the outputs that see it NaN or infinite; it widens no bound.
double finite_abs(double x) {
  return std::isfinite(x) ? std::abs(x) : 0;
}

double largest(const HostTensor& t, int64_t token, int64_t head) {
  double most = 0;
  for (int64_t i = 0; i < t.shape[2]; ++i) most = std::max(most, finite_abs(t.get(token, head, i)));
  return most;
}

// max over the keys of a sequence of sum_i |q_i k_i|, for one query row.
double abs_qk(const Context& c, int64_t q_token, int64_t q_head, int64_t first_key, int64_t keys) {
  const int64_t kv_head = q_head / c.cell.group;
  const int64_t d = c.q.shape[2];
  std::vector<double> q(static_cast<size_t>(d));
  double sum_q = 0;
  for (int64_t i = 0; i < d; ++i)
    sum_q += q[static_cast<size_t>(i)] = finite_abs(c.q.get(q_token, q_head, i));
  const double slack = stored_slack(c.cell.kv, d);
  double most = 0;
  for (int64_t j = first_key; j < first_key + keys; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < d; ++i)
      sum += q[static_cast<size_t>(i)] * finite_abs(c.k.get(j, kv_head, i));
    most = std::max(most, sum + slack * largest(c.k, j, kv_head) * sum_q);
  }
  return most * static_cast<double>(c.parameters.q_scale) / std::sqrt(static_cast<double>(d));
}

double abs_v(const Context& c, int64_t q_head, int64_t first_key, int64_t keys) {
  const HostTensor& v = c.cell.cache == CacheKind::kLatent ? c.k : c.v;
  double most = 0;
  for (int64_t j = first_key; j < first_key + keys; ++j)
    most = std::max(most, largest(v, j, q_head / c.cell.group));
  return most * (1 + stored_slack(c.cell.kv, v.shape[2]));
}

// Equal, or both NaN, or within the bound. Returns the share of the bound that was used.
double share(double found, double expected, double bound) {
  if (std::isnan(expected)) return std::isnan(found) ? 0 : INFINITY;
  if (found == expected || std::isinf(bound)) return 0;
  const double error = std::abs(found - expected);
  return std::isfinite(error) ? error / bound : INFINITY;
}

// The oracle's value as out's type can say it: 8-bit outs are scaled, and saturate.
double as_stored(const Context& c, double value) {
  if (element_bytes(c.cell.out) > 1) return value;
  uint8_t code = 0;
  encode(c.cell.out, 1e9, &code);
  const double most = decode(c.cell.out, &code);
  const double stored = value / static_cast<double>(c.parameters.out_scale);
  return std::isnan(stored) ? stored : std::clamp(stored, -most, most);
}

double bound_of_stored(const Context& c, const testing::ErrorTerms& terms, double stored) {
  const double bound = testing::out_bound(terms);
  if (element_bytes(c.cell.out) > 1) return bound;
  // Half a spacing of 8 bits: 2^-3 (e5m2) or 2^-4 relative, and the smallest subnormal below.
  const double spacing = c.cell.out == DType::kFp8E5m2 ? 0x1p-3 : 0x1p-4;
  return bound / static_cast<double>(c.parameters.out_scale) +
         std::max(spacing * std::abs(stored), 0x1p-10);
}

class Judge {
 public:
  Judge(const AttendResult& found, const AttendResult& expected, const Context& context)
      : found_(found), expected_(expected), c_(context) {}

  Comparison run() {
    int64_t first_key = 0;
    for (int32_t s = 0; s < c_.batch.sequences(); ++s) {
      const auto i = static_cast<size_t>(s);
      for (int32_t t = c_.batch.q_start[i]; t < c_.batch.q_start[i + 1]; ++t)
        for (int64_t h = 0; h < c_.q.shape[1]; ++h) row(s, t, h, first_key);
      first_key += c_.batch.kv_len[i];
    }
    return std::move(result_);
  }

 private:
  testing::ErrorTerms terms(int32_t s, int32_t t, int64_t h, int64_t first_key) const {
    const int64_t keys = c_.batch.kv_len[static_cast<size_t>(s)];
    testing::ErrorTerms e;
    e.format = name(c_.cell.kv);
    e.q_dtype = static_cast<int32_t>(c_.cell.q);
    e.out_dtype =
        element_bytes(c_.cell.out) == 1 ? ATTNRT_DTYPE_F64 : static_cast<int32_t>(c_.cell.out);
    e.kv_len = keys;
    e.head_dim_qk = c_.cell.head_dim.qk;
    e.abs_qk = abs_qk(c_, t, h, first_key, keys);
    if (!c_.parameters.slopes.empty())
      e.abs_bias = std::abs(static_cast<double>(c_.parameters.slopes[static_cast<size_t>(h)])) *
                   static_cast<double>(keys);
    e.softcap = static_cast<double>(c_.parameters.softcap);
    e.abs_pv = abs_v(c_, h, first_key, keys);
    return e;
  }

  void row(int32_t s, int32_t t, int64_t h, int64_t first_key) {
    testing::ErrorTerms e = terms(s, t, h, first_key);
    const double row_lse = expected_.lse.bytes.empty() ? 0 : expected_.lse.get(t, h, 0);
    for (int64_t i = 0; i < found_.out.shape[2]; ++i) {
      e.out = expected_.out.get(t, h, i);
      if (c_.abs_pv != nullptr) e.abs_pv = c_.abs_pv->get(t, h, i);
      const double stored = as_stored(c_, e.out);
      note(s, t, h, i, "out", found_.out.get(t, h, i), stored, bound_of_stored(c_, e, stored));
    }
    if (found_.lse.bytes.empty()) return;
    e.lse = row_lse;
    note(s, t, h, 0, "lse", found_.lse.get(t, h, 0), row_lse, testing::lse_bound(e));
  }

  void note(int32_t s, int32_t t, int64_t h, int64_t i, const char* what, double found,
            double expected, double bound) {
    const double used = share(found, expected, bound);
    result_.worst_share = std::max(result_.worst_share, used);
    if (used <= 1 || !result_.complaint.empty()) return;
    result_.complaint = fmt::format(
        "sequence {} (q_len {}, kv_len {}), token {}, head {}, element {}: {} is {:.9g}, expected "
        "{:.9g} within {:.3g}",
        s, c_.batch.q_start[static_cast<size_t>(s) + 1] - c_.batch.q_start[static_cast<size_t>(s)],
        c_.batch.kv_len[static_cast<size_t>(s)], t, h, i, what, found, expected, bound);
  }

  const AttendResult& found_;
  const AttendResult& expected_;
  const Context& c_;
  Comparison result_;
};

}  // namespace

Comparison compare(const AttendResult& found, const AttendResult& expected,
                   const Context& context) {
  return Judge(found, expected, context).run();
}

}  // namespace attnrt::conformance
