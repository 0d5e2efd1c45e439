// The choice of instructions: forced, automatic, refused.
#include <set>

#include "each_isa.hpp"

namespace attnrt::cpu {
namespace {

TEST(Isa, PortableIsAlwaysThere) {
  EXPECT_EQ(instruction_sets().back().name, "portable");
  EXPECT_TRUE(instruction_sets().back().available);
}

TEST(Isa, AutoTakesTheFirstThatTheCpuHas) {
  std::string why;
  const Isa* chosen = choose_isa("auto", why);
  ASSERT_NE(chosen, nullptr);
  for (const Isa& isa : instruction_sets()) {
    if (!isa.available) continue;
    EXPECT_EQ(chosen->name, isa.name);
    break;
  }
  EXPECT_EQ(choose_isa("", why), chosen);
}

TEST(Isa, AForcedOneIsTheOneThatRuns) {
  std::set<const KernelTable*> tables;
  for (const Isa& isa : instruction_sets()) {
    if (!isa.available) continue;
    std::string why;
    const Isa* chosen = choose_isa(isa.name, why);
    ASSERT_NE(chosen, nullptr) << why;
    EXPECT_EQ(chosen->table().name, isa.name);
    tables.insert(&chosen->table());
  }
  EXPECT_EQ(tables.size(), available_isas().size());
}

TEST(Isa, RefusalsNameWhatThereIs) {
  std::string why;
  EXPECT_EQ(choose_isa("sse9", why), nullptr);
  EXPECT_NE(why.find("'sse9'"), std::string::npos) << why;
  EXPECT_NE(why.find("portable"), std::string::npos) << why;
  for (const Isa& isa : instruction_sets()) {
    if (isa.available) continue;
    EXPECT_EQ(choose_isa(isa.name, why), nullptr);
    EXPECT_NE(why.find(isa.needs), std::string::npos) << why;
  }
}

}  // namespace
}  // namespace attnrt::cpu
