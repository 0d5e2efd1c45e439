// What must be refused, and in which words. Every message has file, line and column.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/config/fixture.hpp"

namespace attnrt {
namespace {

struct Bad {
  const char* name;
  std::string yaml;
  const char* message;  // a part of it, with the place
  friend std::ostream& operator<<(std::ostream& out, const Bad& bad) { return out << bad.name; }
};

class RefusedConfig : public testing::TestWithParam<Bad> {};

TEST_P(RefusedConfig, SaysWhereAndWhat) {
  const Result<RunFile> file = test::parse(GetParam().yaml);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(file.error()), testing::HasSubstr(GetParam().message));
}

const Bad kSyntax[] = {
    {"empty", "", "/etc/runs/run.yaml:1:1: expected a configuration (key: value), found nothing"},
    {"a_list", "[1, 2]", "run.yaml:1:1: expected a configuration (key: value), found a list"},
    {"broken", "model: {geometry: x", "run.yaml:1:1: expected YAML or JSON, found"},
    {"tab", "model:\n\tgeometry: x", "run.yaml:"},
    {"duplicate", "device: cpu\ndevice: xpu\n",
     "run.yaml:2:1: expected each key once, found 'device' again, first written at line 1"},
    {"duplicate_below", "kv_cache:\n  format: f16\n  format: f32\n",
     "run.yaml:3:3: expected each key once"},
    {"key_is_a_list", "[a]: 1\n", "run.yaml:1:1: expected a key that is a plain word"},
    {"two_documents", "device: cpu\n---\ndevice: cpu\n",
     "run.yaml:2:1: expected one document, found a second one"},
    {"stray_bracket", "device: cpu\n]\n", "run.yaml:"},
    {"bracket_alone", "]", "run.yaml:1:1: expected"},
    {"endless_alias", "a: &a [*a]\n", "run.yaml:"},
    {"laughs",
     "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
     "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
     "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
     "expected a configuration of reasonable size"},
    {"deep", "device: " + std::string(60, '[') + std::string(60, ']'),
     "run.yaml:1:57: expected at most 48 levels of nesting, found more"},
    {"deeper_than_the_parser", "device: " + std::string(5000, '['),
     "expected at most 48 levels of nesting, found more"},
};
INSTANTIATE_TEST_SUITE_P(Syntax, RefusedConfig, testing::ValuesIn(kSyntax),
                         [](const auto& p) { return p.param.name; });

const Bad kKeys[] = {
    {"unknown_section", test::with("modle: x"),
     "run.yaml:2:1: expected a key of a run (name, model, device, kv_cache, request, plugins, "
     "workload, verify, report, runs), found 'modle'; nearest: 'model'"},
    {"unknown_beside_the_geometry", "model: {geometri: smollm2-135m}\n",
     "run.yaml:1:9: expected a key of model (geometry, first_layers, name, dtype, ds_mla, layer, "
     "layers), found 'geometri'; nearest: 'geometry'"},
    {"unknown_in_kv_cache", test::with("kv_cache: {formt: fp8}"),
     "run.yaml:2:12: expected a key of kv_cache"},
    {"unknown_in_plugins", test::with("plugins: {requires: cpu}"),
     "run.yaml:2:11: expected a key of plugins"},
    {"unknown_in_workload", test::with("workload: {kind: synthetic, lengths: [1], file: x}"),
     "run.yaml:2:43: expected a key of workload"},
    {"unknown_in_verify", test::with("verify: {with: reference}"),
     "run.yaml:2:10: expected a key of verify"},
    {"unknown_in_report", test::with("report: {pdf: x}"),
     "run.yaml:2:10: expected a key of report (json, html), found 'pdf'"},
    {"unknown_in_request", test::with("request: {w: x}"),
     "run.yaml:2:11: expected a key of request"},
    {"unknown_device_kind", test::with("plugins: {per_device: {gpu: {prefer: a}}}"),
     "run.yaml:2:24: expected a key of per_device (cpu, cuda, rocm, xpu, simt), found 'gpu'"},
    {"report_in_a_run", test::with("runs: [{report: {json: x}}]"),
     "'report' inside a run; it belongs to the whole file"},
    {"runs_in_a_run", test::with("runs: [{runs: []}]"),
     "run.yaml:2:15: expected a run, found 'runs' inside a run"},
};
INSTANTIATE_TEST_SUITE_P(Keys, RefusedConfig, testing::ValuesIn(kKeys),
                         [](const auto& p) { return p.param.name; });

const Bad kValues[] = {
    {"no_model", "device: cpu\n",
     "run.yaml:1:1: expected a model: model: {geometry: NAME}, found none"},
    {"unknown_model", "model: {geometry: lama-3.1-8b}\n",
     "run.yaml:1:19: expected a model's geometry (deepseek-v3"},
    {"unknown_model_near", "model: {geometry: lama-3.1-8b}\n",
     "found 'lama-3.1-8b'; nearest: 'llama-3.1-8b'"},
    {"model_is_a_list", "model: [a]\n",
     "run.yaml:1:8: expected a mapping (key: value) for model, found a list"},
    {"geometry_file_missing", "model: {geometry: ./none.yaml}\n",
     "run.yaml:1:19: expected a model's geometry, found No such file or directory (in "
     "/etc/runs/none.yaml)"},
    {"geometry_and_layers", "model: {geometry: smollm2-135m, layers: []}\n",
     "run.yaml:1:33: expected a key of model"},
    {"too_many_first_layers", "model: {geometry: smollm2-135m, first_layers: 31}\n",
     "run.yaml:1:47: expected at most the model's 30 layers, found 31"},
    {"device", test::with("device: gpu"), "run.yaml:2:9: expected"},
    {"device_absent", test::with("device: cuda:3"), "run.yaml:2:9: expected"},
    {"format", test::with("kv_cache: {format: fp9}"), "run.yaml:2:20: expected"},
    {"format_is_a_mapping", test::with("kv_cache: {format: {a: b}}"),
     "run.yaml:2:20: expected a KV format, found a mapping"},
    {"no_formats", test::with("kv_cache: {format: []}"),
     "run.yaml:2:20: expected at least one format, found an empty list"},
    {"format_twice", test::with("kv_cache: {format: [fp8, fp8]}"),
     "run.yaml:2:26: expected each format once, found 'fp8' again"},
    {"kv_cache_is_text", test::with("kv_cache: fp8"),
     "run.yaml:2:11: expected a mapping (key: value) for kv_cache, found 'fp8'"},
    {"block_size_text", test::with("kv_cache: {block_size: many}"),
     "run.yaml:2:24: expected an integer from 1 to 65536, found 'many'"},
    {"block_size_quoted", test::with("kv_cache: {block_size: \"16\"}"),
     "run.yaml:2:24: expected an integer"},
    {"block_size_fraction", test::with("kv_cache: {block_size: 16.5}"),
     "run.yaml:2:24: expected an integer"},
    {"block_size_zero", test::with("kv_cache: {block_size: 0}"),
     "run.yaml:2:24: expected an integer from 1 to 65536, found '0'"},
    {"block_size_huge", test::with("kv_cache: {block_size: 99999999999999999999}"),
     "run.yaml:2:24: expected an integer"},
    {"layout", test::with("kv_cache: {layout: dhn}"), "run.yaml:2:20: expected"},
    {"blocks", test::with("kv_cache: {blocks: -1}"), "run.yaml:2:20: expected an integer"},
    {"skip_layer_beyond", test::with("kv_cache: {skip_layers: [\"3-30\"]}"),
     "run.yaml:2:26: expected layers from 0 to 29, found '3-30'"},
    {"skip_layer_word", test::with("kv_cache: {skip_layers: [sliding]}"),
     "run.yaml:2:26: expected"},
    {"skip_layers_text", test::with("kv_cache: {skip_layers: full}"),
     "run.yaml:2:25: expected a list of layers"},
    {"skip_format_alone", test::with("kv_cache: {skip_format: bf16}"),
     "run.yaml:2:25: expected skip_layers beside skip_format, found no skip_layers"},
    {"q_dtype", test::with("request: {q: int3}"), "run.yaml:2:14: expected"},
    {"feature_unknown", test::with("request: {features: [laser]}"),
     "run.yaml:2:22: expected a list of lse"},
    {"feature_of_the_model", test::with("request: {features: [window]}"),
     "that is a fact of the model, not a wish"},
    {"query_tokens", test::with("request: {query_tokens: 0}"),
     "run.yaml:2:25: expected an integer from 1"},
    {"tensors", test::with("request: {tensors: sparse}"), "expected the strides of rows"},
    {"pages_list", test::with("request: {pages: [packed]}"), "run.yaml:2:18: expected"},
    {"alignment", test::with("request: {alignment: 12}"),
     "run.yaml:2:22: expected a power of two for alignment, in bytes, found '12'"},
    {"required_and_denied", test::with("plugins: {require: cpu, deny: [cpu]}"),
     "run.yaml:2:10: expected a policy that can be met, found plugin 'cpu' both required and "
     "denied"},
    {"preferred_and_denied", test::with("plugins: {prefer: [a, b], deny: b}"),
     "plugin 'b' both preferred and denied"},
    {"denied_per_device", test::with("plugins: {require: a, per_device: {cuda: {deny: a}}}"),
     "run.yaml:2:42: expected a policy that can be met"},
    {"on_refusal", test::with("plugins: {on_refusal: retry}"),
     "run.yaml:2:23: expected fail or replan, found 'retry'"},
    {"option_is_a_list", test::with("plugins: {options: {cpu: {threads: [1]}}}"),
     "run.yaml:2:36: expected a single value for threads, found a list"},
    {"options_of_a_plugin", test::with("plugins: {options: {cpu: fast}}"),
     "run.yaml:2:26: expected a mapping (key: value) for options: cpu, found 'fast'"},
    {"trust", test::with("plugins: {trust_any_owner: yes}"),
     "run.yaml:2:28: expected true or false, found 'yes'"},
    {"kind_missing", test::with("workload: {file: x}"),
     "run.yaml:2:11: expected a workload's kind: recorded or synthetic, found no 'kind' in "
     "workload"},
    {"kind", test::with("workload: {kind: replay}"),
     "run.yaml:2:18: expected recorded or synthetic, found 'replay'"},
    {"recorded_without_file", test::with("workload: {kind: recorded}"),
     "run.yaml:2:11: expected a recording"},
    {"decode_all", test::with("workload: {kind: recorded, file: x, tokens: 8, decode_tokens: 8}"),
     "expected fewer decode_tokens than tokens, found 8 of 8"},
    {"no_lengths", test::with("workload: {kind: synthetic}"),
     "run.yaml:2:11: expected the sequences' lengths"},
    {"empty_lengths", test::with("workload: {kind: synthetic, lengths: []}"),
     "run.yaml:2:38: expected at least one length"},
    {"negative_length", test::with("workload: {kind: synthetic, lengths: [4, -1]}"),
     "run.yaml:2:42: expected an integer from 0"},
    {"lengths_backwards",
     test::with("workload: {kind: synthetic, lengths: {count: 2, min: 9, max: 3}}"),
     "expected an integer from 9"},
    {"arrivals", test::with("workload: {kind: synthetic, lengths: [4], arrivals: now}"),
     "run.yaml:2:53: expected together, or {every_steps: N}, found 'now'"},
    {"sample_zero", test::with("verify: {sample: 0}"),
     "run.yaml:2:18: expected a fraction above 0 and up to 1, found '0'"},
    {"sample_large", test::with("verify: {sample: 1.5}"),
     "run.yaml:2:18: expected a number from 0 to 1, found '1.5'"},
    {"runs_is_a_mapping", "runs: {a: b}\n",
     "run.yaml:1:7: expected a list of runs, found a mapping"},
    {"no_runs", "runs: []\n",
     "run.yaml:1:7: expected at least one run in runs, found an empty list"},
    {"run_is_text", test::with("runs: [a]"),
     "run.yaml:2:8: expected a run (key: value), found 'a'"},
    {"equal_names", test::with("runs: [{}, {device: cpu}]"),
     "expected a name of its own for each run, found 'smollm2-135m auto' twice; give one of them a "
     "name: key (/etc/runs/run.yaml:2:12)"},
};
INSTANTIATE_TEST_SUITE_P(Values, RefusedConfig, testing::ValuesIn(kValues),
                         [](const auto& p) { return p.param.name; });

TEST(RefusedConfigFile, MissingFileSaysSo) {
  const Result<RunFile> file = load_config("/nowhere/run.yaml", test::bare_context());
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(
      to_string(file.error()),
      testing::StartsWith("/nowhere/run.yaml: expected a configuration, found No such file"));
}

TEST(RefusedConfigFile, LargerThanAMebibyteIsNotRead) {
  const std::string path =
      testing::TempDir() + "attnrt_large_" + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << "device: cpu # " << std::string(1 << 20, 'x');
  const Result<RunFile> file = load_config(path, test::bare_context());
  std::remove(path.c_str());
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().expected, "a configuration of at most 1 MiB");
}

TEST(RefusedConfigFile, FifosAndDevicesAreRefusedAtOnce) {
  const std::string fifo = testing::TempDir() + "attnrt_fifo_" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const Result<RunFile> from_fifo = load_config(fifo, test::bare_context());  // would wait for ever
  unlink(fifo.c_str());
  ASSERT_FALSE(from_fifo.ok());
  EXPECT_EQ(from_fifo.error().found, "a FIFO");
  const Result<RunFile> from_device = load_config("/dev/zero", test::bare_context());
  ASSERT_FALSE(from_device.ok());
  EXPECT_EQ(from_device.error().found, "a device");
}

TEST(RefusedConfigFile, FolderIsNotAFile) {
  const Result<RunFile> file = load_config("/", test::bare_context());
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(to_string(file.error()),
            "/: expected a configuration, found a folder; name the file in it");
}

}  // namespace
}  // namespace attnrt
