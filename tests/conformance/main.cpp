// The conformance suite: proves a plugin's manifest against the oracle.
//
//   conformance [--plugins DIR] [--plugin NAME] [--oracle NAME] [--device DEVICE]
//               [--option KEY=VALUE]… [--cells pairs|crossed] [GoogleTest's own options]
//
// Every kernel and op of every plugin found is a test of its own: cells that hold each listed value
// and each pair of values are run (crossed: also each format with each head size and each feature),
// unlisted neighbours must be refused. What ran is counted.
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "attnrt/load.hpp"
#include "axes.hpp"
#include "check.hpp"

namespace attnrt::conformance {
namespace {

struct Arguments {
  std::string plugins = ATTNRT_BINARY_DIR "/plugins";
  std::string plugin;  // empty: all
  std::string oracle = "reference";
  std::string device = "cpu";
  Coverage cells = Coverage::kPairs;
  std::vector<std::pair<std::string, std::string>> options;
};

// What all tests share; it lives as long as the process.
struct Suite {
  Arguments arguments;
  Device device;
  PluginRegistry registry;
  std::unique_ptr<Oracle> oracle;

  const ScannedPlugin* find(const std::string& plugin, uint32_t* index = nullptr) const {
    for (uint32_t i = 0; i < registry.plugins().size(); ++i) {
      if (registry.plugins()[i].manifest.name != plugin) continue;
      if (index) *index = i;
      return &registry.plugins()[i];
    }
    return nullptr;
  }
};

Oracle* oracle_of(Suite& suite) {
  if (suite.oracle) return suite.oracle.get();
  uint32_t index = 0;
  const ScannedPlugin* plugin = suite.find(suite.arguments.oracle, &index);
  if (plugin == nullptr) return nullptr;
  auto loaded = suite.registry.load(index);
  if (!loaded.ok()) throw std::runtime_error(to_string(loaded.error()));
  const Device host = *parse_device("cpu", probe_host());
  suite.oracle = std::make_unique<Oracle>(loaded->table, plugin->manifest, host);
  return suite.oracle.get();
}

// Sanitized, all the oracle's own cells would take some eight minutes: one in so many runs then,
// and the count is printed. Other plugins' cells, which need no such loops in double, all run.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kOracleStep = 8;
#else
constexpr size_t kOracleStep = 1;
#endif

class KernelTest : public testing::Test {
 public:
  KernelTest(Suite& suite, uint32_t plugin, uint32_t kernel, Op op)
      : suite_(suite), plugin_(plugin), kernel_(kernel), op_(op) {}

  void TestBody() override {
    refuses_neighbours();
    Oracle* oracle = oracle_of(suite_);
    if (oracle == nullptr)
      GTEST_SKIP() << "no oracle: plugin '" << suite_.arguments.oracle << "' is not in "
                   << suite_.arguments.plugins;
    auto loaded = suite_.registry.load(plugin_);
    ASSERT_TRUE(loaded.ok()) << to_string(loaded.error());
    Subject subject(loaded->table, suite_.device, suite_.arguments.options);
    runs_cells(subject, *oracle);
    refuses_rows(subject);
  }

 private:
  const Manifest& manifest() const { return suite_.registry.plugins()[plugin_].manifest; }
  const KernelManifest& kernel() const { return manifest().kernels[kernel_]; }

  void refuses_neighbours() {
    const Catalog& catalog = suite_.registry.catalog();
    const std::vector<Neighbour> neighbours = neighbours_of(kernel(), op_, suite_.device);
    for (const Neighbour& n : neighbours) {
      const Decision decision = select(n.request, catalog);
      const auto mine = std::find_if(
          decision.candidates.begin(), decision.candidates.end(),
          [&](const Candidate& c) { return c.plugin == plugin_ && c.kernel == kernel_; });
      ASSERT_NE(mine, decision.candidates.end());
      EXPECT_TRUE(mine->failed & (1u << static_cast<unsigned>(n.rule)))
          << "unlisted " << n.what << " is not refused by the rule " << name(n.rule);
    }
    RecordProperty("neighbours", static_cast<int>(neighbours.size()));
    std::cout << fmt::format("  {} unlisted neighbours refused\n", neighbours.size());
  }

  Verdict judge(const Cell& cell, Subject& subject, Oracle& oracle) {
    try {
      if (op_ == Op::kAppend) return check_append(cell, subject, oracle);
      if (op_ == Op::kMerge) return check_merge(cell, subject);
      return check_attend(cell, subject, oracle);
    } catch (const std::exception& e) {
      return {.kind = Verdict::Kind::kFailed, .reason = e.what()};
    }
  }

  void runs_cells(Subject& subject, Oracle& oracle) {
    const CellList list = cells_of(kernel(), op_, suite_.arguments.cells);
    ASSERT_FALSE(list.cells.empty()) << "the box has no cell that a request could have";
    int passed = 0, skipped = 0, failed = 0;
    int64_t elements = 0, unbounded = 0;
    double worst = 0;
    std::map<std::string, int> skips;
    const size_t step = manifest().name == suite_.arguments.oracle ? kOracleStep : 1;
    size_t ran = 0;
    for (size_t i = 0; i < list.cells.size(); i += step, ++ran) {
      const Cell& cell = list.cells[i];
      const Request request = to_request(cell, suite_.device);
      ASSERT_TRUE(accepted(request)) << "listed, but refused: " << to_string(cell);
      const Verdict verdict = judge(cell, subject, oracle);
      worst = std::max(worst, verdict.worst_share);
      elements += verdict.elements;
      unbounded += verdict.unbounded;
      passed += verdict.kind == Verdict::Kind::kPassed;
      if (verdict.kind == Verdict::Kind::kSkipped) ++skipped, ++skips[verdict.reason];
      if (verdict.kind == Verdict::Kind::kFailed && ++failed <= 5)
        ADD_FAILURE() << to_string(cell) << "\n  " << verdict.reason;
    }
    EXPECT_EQ(failed, 0) << failed << " of " << ran << " cells failed";
    RecordProperty("cells", static_cast<int>(ran));
    std::cout << fmt::format(
        "  {} of {} cells over {} pairs of values ({} impossible): {} passed, {} skipped, {} "
        "failed; worst error {:.1f} % of its bound\n",
        ran, list.cells.size(), list.pairs, list.impossible_pairs, passed, skipped, failed,
        100 * worst);
    if (unbounded > 0)
      std::cout << fmt::format(
          "  {} of {} elements skipped: beyond what f32 arithmetic promises, no bound\n", unbounded,
          elements);
    for (const auto& [reason, count] : skips)
      std::cout << fmt::format("  skipped {}: {}\n", count, reason);
  }

  // A plugin is asked too: an engine may run unchecked.
  void refuses_rows(Subject& subject) {
    const std::vector<Cell> cells = unlisted_rows(kernel(), op_);
    for (const Cell& cell : cells) {
      const Verdict verdict = check_refusal(cell, subject);
      EXPECT_EQ(verdict.kind, Verdict::Kind::kPassed)
          << to_string(cell) << "\n  " << verdict.reason;
    }
    if (!cells.empty())
      std::cout << fmt::format("  {} kinds of unlisted rows refused\n", cells.size());
  }

  // By this very kernel, whatever others there are.
  bool accepted(const Request& request) const {
    const Decision decision = select(request, suite_.registry.catalog());
    return std::any_of(decision.candidates.begin(), decision.candidates.end(),
                       [&](const Candidate& c) {
                         return c.plugin == plugin_ && c.kernel == kernel_ && c.accepted();
                       });
  }

  Suite& suite_;
  uint32_t plugin_;
  uint32_t kernel_;
  Op op_;
};

void register_tests(Suite& suite) {
  const auto& plugins = suite.registry.plugins();
  for (uint32_t p = 0; p < plugins.size(); ++p) {
    const Manifest& manifest = plugins[p].manifest;
    if (!suite.arguments.plugin.empty() && manifest.name != suite.arguments.plugin) continue;
    for (uint32_t k = 0; k < manifest.kernels.size(); ++k) {
      const KernelManifest& kernel = manifest.kernels[k];
      if (kernel.device != suite.device.kind) continue;
      for (Op op : {Op::kAppend, Op::kPrefill, Op::kDecode, Op::kMixed, Op::kMerge}) {
        if (!kernel.ops.contains(op)) continue;
        testing::RegisterTest(("Conformance_" + manifest.name).c_str(),
                              fmt::format("{}_{}", kernel.name, name(op)).c_str(), nullptr, nullptr,
                              __FILE__, __LINE__,
                              [&suite, p, k, op] { return new KernelTest(suite, p, k, op); });
      }
    }
  }
}

Arguments parse(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    if (i + 1 == argc) throw std::runtime_error("no value after " + key);
    const std::string value = argv[++i];
    if (key == "--plugins")
      a.plugins = value;
    else if (key == "--plugin")
      a.plugin = value;
    else if (key == "--oracle")
      a.oracle = value;
    else if (key == "--device")
      a.device = value;
    else if (key == "--cells" && (value == "pairs" || value == "crossed"))
      a.cells = value == "crossed" ? Coverage::kCrossed : Coverage::kPairs;
    else if (key == "--option" && value.find('=') != std::string::npos)
      a.options.emplace_back(value.substr(0, value.find('=')), value.substr(value.find('=') + 1));
    else
      throw std::runtime_error("unknown option " + key);
  }
  return a;
}

int run(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  Arguments arguments = parse(argc, argv);
  auto device = parse_device(arguments.device, probe_host());
  if (!device.ok()) throw std::runtime_error(to_string(device.error()));
  SearchOptions search;
  search.path = {arguments.plugins};
  static Suite suite{arguments, *device, PluginRegistry::scan(search), nullptr};
  if (!arguments.plugin.empty() && suite.find(arguments.plugin) == nullptr)
    throw std::runtime_error("no plugin '" + arguments.plugin + "' in " + arguments.plugins);
  register_tests(suite);
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace attnrt::conformance

int main(int argc, char** argv) {
  try {
    return attnrt::conformance::run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "conformance: " << e.what() << "\n";
    return 2;
  }
}
