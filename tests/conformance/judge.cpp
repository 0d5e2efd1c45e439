#include "judge.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/error_bound.hpp"

namespace attnrt::conformance {
namespace {

// What is not finite makes the outputs that see it NaN or infinite; it widens no bound.
double finite_abs(double x) {
  return std::isfinite(x) ? std::abs(x) : 0;
}

// A row [token, head] of a tensor: its magnitudes, the largest of them, and its length.
struct Row {
  std::vector<double> abs;
  double largest = 0;
  double norm = 0;
};
Row row_of(const HostTensor& t, int64_t token, int64_t head) {
  Row row{std::vector<double>(static_cast<size_t>(t.shape[2]))};
  double squares = 0;
  for (size_t i = 0; i < row.abs.size(); ++i) {
    const double x = row.abs[i] = finite_abs(t.get(token, head, static_cast<int64_t>(i)));
    row.largest = std::max(row.largest, x);
    squares += x * x;
  }
  row.norm = std::sqrt(squares);
  return row;
}

// A stored element differs from the appended one by at most a quarter of its row's largest: e2m1,
// the coarsest, has half a spacing of 1/6 and a rounded scale.
constexpr double kStoredSlack = 0.25;

// How much longer a rotated row may be once stored: each of its values is off by at most half of a
// fifteenth of their span, which is at most twice the row's length.
double rotated_slack(int64_t width) {
  return std::sqrt(static_cast<double>(width)) / 15;
}

// The keys of a head as the bounds need them.
class Keys {
 public:
  explicit Keys(const Context& c) : c_(c), v_(c.cell.cache == CacheKind::kLatent ? c.k : c.v) {
    for (int64_t h = 0; h < c.k.shape[1]; ++h) {
      for (int64_t j = 0; j < c.k.shape[0]; ++j) {
        k_rows_.push_back(row_of(c.k, j, h));
        const Row v = row_of(v_, j, h);
        stored_v_.push_back(is_rotated(c.cell.kv) ? v.norm * (1 + rotated_slack(v_.shape[2]))
                                                  : v.largest * (1 + kStoredSlack));
      }
    }
  }

  // max over a sequence's keys of sum_i |q_i k_i| as stored, scaled. In rotated rows one element
  // gathers the errors of all, so there their length bounds the sum.
  double abs_qk(const Row& q, int64_t head, int64_t first_key, int64_t keys) const {
    const double sum_q = std::accumulate(q.abs.begin(), q.abs.end(), 0.0);
    const auto d = static_cast<int64_t>(q.abs.size());
    double most = 0;
    for (int64_t j = first_key; j < first_key + keys; ++j) {
      const Row& k = k_rows_[index(head, j)];
      if (is_rotated(c_.cell.kv)) {
        most = std::max(most, q.norm * k.norm * (1 + rotated_slack(d)));
        continue;
      }
      const double sum = std::inner_product(q.abs.begin(), q.abs.end(), k.abs.begin(), 0.0);
      most = std::max(most, sum + kStoredSlack * k.largest * sum_q);
    }
    return most * static_cast<double>(c_.parameters.q_scale) / std::sqrt(static_cast<double>(d));
  }

  // The largest |v| that a sequence's keys may hold once stored.
  double abs_v(int64_t head, int64_t first_key, int64_t keys) const {
    double most = 0;
    for (int64_t j = first_key; j < first_key + keys; ++j)
      most = std::max(most, stored_v_[index(head, j)]);
    return most;
  }

  // The largest finite |v| of one element among a sequence's keys, as appended. Formats with a
  // scale a row store an infinity as the largest number.
  double abs_v_of(int64_t head, int64_t first_key, int64_t keys, int64_t element) const {
    const bool finite = info(c_.cell.kv).row_scale_bytes > 0;
    double most = 0;
    for (int64_t j = first_key; j < first_key + keys; ++j) {
      const double v = v_.get(j, head, element);
      most = std::max(most, finite && std::isinf(v) ? FLT_MAX : finite_abs(v));
    }
    return most;
  }

 private:
  size_t index(int64_t head, int64_t key) const {
    return static_cast<size_t>(head * c_.k.shape[0] + key);
  }

  const Context& c_;
  const HostTensor& v_;
  std::vector<Row> k_rows_;
  std::vector<double> stored_v_;
};

// Equal, or both NaN, or within the finite bound. Returns the share of the bound that was used.
double share(double found, double expected, double bound) {
  if (std::isnan(expected)) return std::isnan(found) ? 0 : INFINITY;
  if (found == expected) return 0;
  const double error = std::abs(found - expected);
  return std::isfinite(error) ? error / bound : INFINITY;
}

// The oracle's value as out's type can say it: 8-bit outs are scaled, and saturate.
double as_stored(const Context& c, double value) {
  const bool scaled = element_bytes(c.cell.out) == 1;
  return saturated(c.cell.out,
                   scaled ? value / static_cast<double>(c.parameters.out_scale) : value);
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
      : found_(found), expected_(expected), c_(context), keys_(context) {}

  Comparison run() {
    int64_t first_key = 0;
    for (int32_t s = 0; s < c_.batch.sequences(); ++s) {
      const auto i = static_cast<size_t>(s);
      for (int32_t t = c_.batch.q_start[i]; t < c_.batch.q_start[i + 1]; ++t)
        for (int64_t h = 0; h < c_.q.shape[1]; ++h) row(s, t, h, first_key);
      first_key += c_.batch.kv_len[i];
    }
    const auto allowed = kMostUnbounded * static_cast<double>(result_.elements);
    if (result_.complaint.empty() && static_cast<double>(result_.unbounded) > allowed)
      result_.complaint =
          fmt::format("{} of {} elements have no bound, more than {} %: the cell proves too little",
                      result_.unbounded, result_.elements, 100 * kMostUnbounded);
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
    e.head_dim_v = c_.cell.head_dim.v;
    const int64_t kv_head = h / c_.cell.group;
    const Row q = row_of(c_.q, t, h);
    e.abs_qk = keys_.abs_qk(q, kv_head, first_key, keys);
    if (q.norm > 0) e.q_spread = std::accumulate(q.abs.begin(), q.abs.end(), 0.0) / q.norm;
    if (!c_.parameters.slopes.empty())
      e.abs_bias = std::abs(static_cast<double>(c_.parameters.slopes[static_cast<size_t>(h)])) *
                   static_cast<double>(keys);
    e.softcap = static_cast<double>(c_.parameters.softcap);
    e.max_v = e.abs_pv = keys_.abs_v(kv_head, first_key, keys);
    return e;
  }

  void row(int32_t s, int32_t t, int64_t h, int64_t first_key) {
    testing::ErrorTerms e = terms(s, t, h, first_key);
    const double row_lse = expected_.lse.bytes.empty() ? 0 : expected_.lse.get(t, h, 0);
    for (int64_t i = 0; i < found_.out.shape[2]; ++i) {
      e.out = expected_.out.get(t, h, i);
      if (c_.abs_pv != nullptr) e.abs_pv = c_.abs_pv->get(t, h, i);
      const double stored = as_stored(c_, e.out);
      const double found = found_.out.get(t, h, i);
      double bound = bound_of_stored(c_, e, stored);
      if (share(found, stored, bound) > 1) {
        const auto keys = static_cast<double>(e.kv_len);
        const double largest = keys_.abs_v_of(h / c_.cell.group, first_key, e.kv_len, i);
        // What leaves f32's range is infinite or NaN: a wrong number is none the less wrong.
        const bool left_range = !std::isfinite(found) && keys * largest > 0x1p127;
        bound = left_range ? HUGE_VAL : bound + keys * largest * 0x1p-126;
      }
      note(s, t, h, i, "out", found, stored, bound);
    }
    if (found_.lse.bytes.empty()) return;
    e.lse = row_lse;
    note(s, t, h, 0, "lse", found_.lse.get(t, h, 0), row_lse, testing::lse_bound(e));
  }

  void note(int32_t s, int32_t t, int64_t h, int64_t i, const char* what, double found,
            double expected, double bound) {
    ++result_.elements;
    // NaN and infinities are to be there whatever the bound; a number without one is neither right
    // nor wrong.
    if (std::isfinite(expected) && !std::isfinite(bound)) {
      ++result_.unbounded;
      return;
    }
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
  Keys keys_;
  Comparison result_;
};

}  // namespace

Comparison compare(const AttendResult& found, const AttendResult& expected,
                   const Context& context) {
  return Judge(found, expected, context).run();
}

}  // namespace attnrt::conformance
