// Policies: contradictions are errors, and preference has one order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "select/compiled.hpp"
#include "tests/select/catalogs.hpp"

namespace attnrt {
namespace {

using testing::HasSubstr;

KernelManifest scored(std::string name, int32_t score) {
  KernelManifest k = test::kernel(std::move(name));
  k.score = score;
  return k;
}

Catalog three() {
  return test::catalog({test::plugin("zeta", {scored("z", 80)}),
                        test::plugin("alpha", {scored("a1", 20), scored("a2", 80)}),
                        test::plugin("beta", {scored("b", 100)})});
}

std::string chosen(const Policy& policy) {
  const Catalog catalog = three();
  const Decision d = select(test::request(), catalog, policy);
  if (!d.chosen) return "none";
  const Candidate& c = d.candidates[*d.chosen];
  return catalog.entries()[c.plugin].manifest.kernels[c.kernel].name;
}

struct BadPolicy {
  Policy policy;
  const char* reason;
};

TEST(CheckPolicy, RefusesContradictionsAndUnknownNames) {
  const BadPolicy cases[] = {
      {{"alpa", {}, {}}, "'alpha'"},
      {{"", {"gamma"}, {}}, "'gamma'"},
      {{"", {}, {"Zeta"}}, "'zeta'"},
      {{"alpha", {}, {"alpha"}}, "both required and denied"},
      {{"", {"beta"}, {"beta"}}, "both preferred and denied"},
      {{"alpha", {"beta"}, {}}, "is required"},
      {{"", {"beta", "beta"}, {}}, "second time"},
      {{"", {}, {"beta", "beta"}}, "second time"},
  };
  const Catalog catalog = three();
  for (const BadPolicy& c : cases) {
    const Status status = check(c.policy, catalog);
    ASSERT_FALSE(status.ok()) << c.reason;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(to_string(status.error()), HasSubstr(c.reason));
  }
  EXPECT_TRUE(check(Policy{}, catalog).ok());
  EXPECT_TRUE(check(Policy{"alpha", {"alpha"}, {"beta"}}, catalog).ok());
  EXPECT_FALSE(check(Policy{"alpha", {}, {}}, test::catalog({})).ok());
}

TEST(Policy, PreferenceIsPolicyThenScoreThenNameThenOrder) {
  EXPECT_EQ(chosen({}), "b");
  EXPECT_EQ(chosen({"", {}, {"beta"}}), "a2");  // 80 = 80: alpha before zeta
  EXPECT_EQ(chosen({"", {"zeta"}, {}}), "z");
  EXPECT_EQ(chosen({"", {"alpha", "zeta"}, {}}), "a2");
  EXPECT_EQ(chosen({"zeta", {}, {}}), "z");
  EXPECT_EQ(chosen({"", {}, {"zeta", "alpha", "beta"}}), "none");
}

TEST(Policy, OfEqualKernelsTheFirstOfTheManifestIsTaken) {
  const Catalog catalog =
      test::catalog({test::plugin("p", {scored("first", 5), scored("second", 5)})});
  EXPECT_EQ(select(test::request(), catalog).chosen, 0u);
}

TEST(Policy, AForcedBackendThatCannotServeIsNeverReplaced) {
  Request r = test::request();
  KernelManifest wide = test::kernel("wide");
  wide.head_dim.pairs = {{256, 256}};
  const Catalog catalog =
      test::catalog({test::plugin("narrow", {test::kernel("k")}), test::plugin("wide", {wide})});
  const Policy forced{"wide", {}, {}};
  const Decision d = select(r, catalog, forced);
  EXPECT_FALSE(d.chosen);
  EXPECT_EQ(d.candidates[0].failed, bit(Rule::kPolicy));
  EXPECT_EQ(d.candidates[1].failed, bit(Rule::kHeadDim));
  EXPECT_TRUE(alternatives(r, catalog, forced).empty());
}

}  // namespace
}  // namespace attnrt
