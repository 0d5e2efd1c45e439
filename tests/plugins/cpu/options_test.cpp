// Options of the instance, and what describe says of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "plugins/cpu/pool.hpp"
#include "tests/plugins/cpu/each_isa.hpp"
#include "tests/support/dense_tensor.hpp"
#include "tests/support/plugin_driver.hpp"

namespace attnrt::testing {
namespace {

const std::string kPlugin = ATTNRT_BINARY_DIR "/plugins/cpu.so";

DriverOptions with(std::vector<std::pair<std::string, std::string>> options, int32_t threads = 0) {
  DriverOptions all;
  all.threads = threads;
  all.options = std::move(options);
  return all;
}

void expect_refusal(const DriverOptions& options, attnrt_status status, const std::string& text) {
  try {
    const PluginDriver driver(kPlugin, options);
    FAIL() << "opened, expected a refusal that says: " << text;
  } catch (const PluginFailure& e) {
    EXPECT_EQ(e.status(), status);
    EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
  }
}

TEST(Options, AForcedInstructionSetIsTheOneInUse) {
  for (const std::string& isa : cpu::available_isas()) {
    PluginDriver driver(kPlugin, with({{"isa", isa}, {"threads", "2"}}));
    EXPECT_EQ(driver.describe(), isa + ", 2 threads");
  }
}

TEST(Options, AutoIsTheDefault) {
  PluginDriver chosen(kPlugin, with({{"isa", "auto"}, {"threads", "1"}}));
  PluginDriver silent(kPlugin, with({{"threads", "1"}}));
  EXPECT_EQ(chosen.describe(), silent.describe());
  EXPECT_EQ(chosen.describe(), cpu::available_isas().front() + ", 1 thread");
}

TEST(Options, TheHostsThreadsAreUsedWhereItHasThem) {
  PluginDriver driver(kPlugin, with({}, 3));
  EXPECT_NE(driver.describe().find("3 threads of the host"), std::string::npos)
      << driver.describe();
}

// By their name: a sanitizer or an emulator has threads of its own, and starts them when it likes.
int64_t threads_of_the_plugin() {
  int64_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    count += name == cpu::kThreadName;
  }
  return count;
}

// Enough work for several threads.
void append_and_forget(PluginDriver& driver) {
  constexpr int32_t kTokens = 1024;
  constexpr int32_t kDim = 128;
  DenseTensor k(ATTNRT_DTYPE_F32, {kTokens, 2, kDim});
  DenseTensor v(ATTNRT_DTYPE_F32, {kTokens, 2, kDim});
  const std::vector<int64_t> slots(kTokens, -1);
  AppendCall call;
  call.k = k.view();
  call.v = v.view();
  call.cache.block_size = 16;
  call.cache.heads = 2;
  call.slots = slots;
  const OpHandle op =
      driver.prepare("attend", make_layer_class(ATTNRT_OP_APPEND, "f32", 4, 2, kDim, kDim));
  driver.append(*op, call);
}

TEST(Options, NoThreadsOfItsOwnBesideTheHosts) {
  {
    PluginDriver driver(kPlugin, with({{"threads", "4"}}, 3));
    append_and_forget(driver);
    EXPECT_EQ(threads_of_the_plugin(), 0);
  }
  // Without the host's it has them, so they are counted.
  PluginDriver driver(kPlugin, with({{"threads", "4"}}));
  append_and_forget(driver);
  EXPECT_EQ(threads_of_the_plugin(), 3);
}

TEST(Options, UnknownValuesAreRefused) {
  expect_refusal(with({{"isa", "avx9000"}}), ATTNRT_UNAVAILABLE, "isa is 'avx9000'");
  expect_refusal(with({{"threads", "many"}}), ATTNRT_INVALID_ARGUMENT, "threads is 'many'");
  expect_refusal(with({{"threads", "0"}}), ATTNRT_INVALID_ARGUMENT, "threads is '0'");
  expect_refusal(with({{"threads", "2x"}}), ATTNRT_INVALID_ARGUMENT, "threads is '2x'");
  expect_refusal(with({{"speed", "11"}}), ATTNRT_INVALID_ARGUMENT, "'speed' is unknown");
}

TEST(Options, InstructionSetsThatTheCpuLacksAreRefused) {
  int lacking = 0;
  for (const cpu::Isa& isa : cpu::instruction_sets()) {
    if (isa.available) continue;
    ++lacking;
    expect_refusal(with({{"isa", std::string(isa.name)}}), ATTNRT_UNAVAILABLE,
                   std::string(isa.needs));
  }
  if (lacking == 0) GTEST_SKIP() << "this CPU has every instruction set";
}

TEST(Options, OtherDevicesAreRefused) {
  DriverOptions options;
  options.device.kind = ATTNRT_DEVICE_CUDA;
  expect_refusal(options, ATTNRT_UNSUPPORTED, "device.kind");
}

}  // namespace
}  // namespace attnrt::testing
