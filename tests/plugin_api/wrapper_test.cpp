// The C table that the wrapper makes: owners, statuses, texts, whatever is thrown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <stdexcept>

#include "attnrt/plugin.hpp"

namespace attnrt::plugin {
namespace {

using ::testing::HasSubstr;

int alive = 0;                     // objects of the plugin below
std::function<void()> on_prepare;  // what its prepare does first

struct Counted {
  Counted() { ++alive; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive; }
};

class TestSchedule : public Schedule, Counted {};

class TestOp : public Op, Counted {
 public:
  std::unique_ptr<Schedule> schedule(const attnrt_batch&, const attnrt_workspace&, void*) override {
    return std::make_unique<TestSchedule>();
  }
};

class TestInstance : public Instance, Counted {
 public:
  std::unique_ptr<Op> prepare(std::string_view, const attnrt_layer_class&) override {
    on_prepare();
    return std::make_unique<TestOp>();
  }
  std::string describe() override { return "größte Stufe"; }
};

struct TestPlugin {
  static std::unique_ptr<Instance> open(const Host&, const attnrt_device&) {
    return std::make_unique<TestInstance>();
  }
};

class Wrapper : public ::testing::Test {
 protected:
  Wrapper() {
    on_prepare = [] {};
    host_.struct_size = sizeof(host_);
    EXPECT_EQ(entry<TestPlugin>(&host_, &table_, &error_), ATTNRT_OK);
    EXPECT_EQ(table_->open(&host_, &device_, &instance_, &error_), ATTNRT_OK);
    layer_.struct_size = sizeof(layer_);
    layer_.op = ATTNRT_OP_DECODE;
    layer_.q_heads = layer_.kv_heads = layer_.head_dim_qk = layer_.head_dim_v = 1;
    layer_.q_dtype = layer_.out_dtype = ATTNRT_DTYPE_F32;
    layer_.cache_format = "f32";
    layer_.block_size = 1;
    layer_.layout = ATTNRT_LAYOUT_NHD;
    layer_.cache_kind = ATTNRT_CACHE_SEPARATE;
  }
  ~Wrapper() override {
    table_->close(instance_);
    EXPECT_EQ(alive, 0);
  }
  attnrt_status prepare() {
    text_[0] = '\0';
    return table_->prepare(instance_, "k", &layer_, &op_, &error_);
  }

  char text_[128] = "";
  attnrt_error error_{text_, sizeof(text_)};
  attnrt_host host_{};
  attnrt_device device_{sizeof(attnrt_device), ATTNRT_DEVICE_CPU, 0, 0, nullptr, nullptr, 0};
  attnrt_layer_class layer_{};
  const attnrt_plugin* table_ = nullptr;
  attnrt_instance* instance_ = nullptr;
  attnrt_op* op_ = nullptr;
};

TEST_F(Wrapper, OwnsObjectsFromCreationToRelease) {
  ASSERT_EQ(prepare(), ATTNRT_OK);
  attnrt_batch batch{};
  batch.struct_size = sizeof(batch);
  attnrt_workspace workspace{};
  workspace.struct_size = sizeof(workspace);
  attnrt_schedule* schedule = nullptr;
  ASSERT_EQ(table_->schedule(op_, &batch, &workspace, nullptr, &schedule, &error_), ATTNRT_OK);
  EXPECT_EQ(alive, 3);
  table_->release_schedule(schedule);
  table_->release_op(op_);
  EXPECT_EQ(alive, 1);
}

TEST_F(Wrapper, TurnsWhateverIsThrownIntoAStatusWithText) {
  on_prepare = [] { fail(ATTNRT_UNAVAILABLE, "driver ", 12, " is too old"); };
  EXPECT_EQ(prepare(), ATTNRT_UNAVAILABLE);
  EXPECT_STREQ(text_, "driver 12 is too old");
  on_prepare = [] { throw std::bad_alloc(); };
  EXPECT_EQ(prepare(), ATTNRT_OUT_OF_MEMORY);
  on_prepare = [] { throw std::runtime_error("it broke"); };
  EXPECT_EQ(prepare(), ATTNRT_INTERNAL);
  EXPECT_STREQ(text_, "it broke");
  on_prepare = [] { throw 7; };
  EXPECT_EQ(prepare(), ATTNRT_INTERNAL);
  EXPECT_THAT(text_, HasSubstr("not a std::exception"));
  on_prepare = [] { throw PluginError(ATTNRT_OK, "no failure is a success"); };
  EXPECT_EQ(prepare(), ATTNRT_INTERNAL);
  EXPECT_EQ(op_, nullptr);
}

TEST_F(Wrapper, SaysThatAnOpLacksWhatItDoesNotOverride) {
  ASSERT_EQ(prepare(), ATTNRT_OK);
  attnrt_merge_args merge{};
  merge.struct_size = sizeof(merge);
  EXPECT_EQ(table_->merge(op_, &merge, &error_), ATTNRT_INTERNAL);
  EXPECT_STREQ(text_, "this op is not merge");
  attnrt_append_args append{};
  append.struct_size = sizeof(append);
  EXPECT_EQ(table_->append(op_, &append, &error_), ATTNRT_INTERNAL);
  table_->release_op(op_);
}

TEST_F(Wrapper, GivesAWorkspaceOfNothingUnlessTold) {
  ASSERT_EQ(prepare(), ATTNRT_OK);
  const attnrt_bounds bounds{sizeof(attnrt_bounds), 1, 1, 1, 1};
  attnrt_workspace_sizes sizes{};
  sizes.struct_size = sizeof(sizes);
  sizes.scratch.bytes = 99;
  ASSERT_EQ(table_->workspace(op_, &bounds, &sizes, &error_), ATTNRT_OK);
  EXPECT_EQ(sizes.scratch.bytes, 0U);
  EXPECT_EQ(sizes.scratch.alignment, 1U);
  EXPECT_EQ(sizes.struct_size, sizeof(sizes));
  table_->release_op(op_);
}

TEST_F(Wrapper, CutsTextsBetweenCharacters) {
  char text[8];
  EXPECT_EQ(table_->describe(instance_, text, sizeof(text)), ATTNRT_OK);
  EXPECT_STREQ(text, "größt");  // 7 bytes and the terminator
  EXPECT_EQ(table_->describe(instance_, text, 4), ATTNRT_OK);
  EXPECT_STREQ(text, "gr");  // never half of ö
  EXPECT_EQ(table_->describe(instance_, nullptr, 0), ATTNRT_OK);
}

TEST_F(Wrapper, RefusesNullHandlesAndParameters) {
  EXPECT_EQ(table_->prepare(nullptr, "k", &layer_, &op_, nullptr), ATTNRT_INVALID_ARGUMENT);
  EXPECT_EQ(table_->prepare(instance_, "k", nullptr, &op_, nullptr), ATTNRT_INVALID_ARGUMENT);
  EXPECT_EQ(table_->prepare(instance_, "k", &layer_, nullptr, nullptr), ATTNRT_INVALID_ARGUMENT);
  EXPECT_EQ(table_->open(nullptr, &device_, &instance_, nullptr), ATTNRT_INVALID_ARGUMENT);
  table_->release_op(nullptr);
  table_->release_schedule(nullptr);
  EXPECT_EQ(table_->device_service(instance_), nullptr);
}

}  // namespace
}  // namespace attnrt::plugin
