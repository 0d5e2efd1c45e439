// attnrt select: one request, judged by every kernel that is known.
#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>

#include "attnrt/choice_text.hpp"
#include "attnrt/command.hpp"
#include "attnrt/device.hpp"
#include "attnrt/json.hpp"
#include "attnrt/option_checks.hpp"
#include "attnrt/profile.hpp"
#include "attnrt/text.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

enum class Detail : uint8_t { kAnswer, kAllKernels };

// As written; defaults are those of an ordinary decode of a mid-sized model.
struct SelectArgs {
  std::string device, q = "bf16", out, kv = "auto", head_dim = "128", op = "decode";
  std::string cache = "separate", layout = "nhd", features = "causal", backend, profile;
  std::string tensors = "packed", pages = "packed";
  int32_t q_heads = 32, kv_heads = 8, block_size = 16, query_tokens = 1;
  int32_t alignment = kUsualAlignment;
  bool all = false;
  Detail detail() const { return all ? Detail::kAllKernels : Detail::kAnswer; }
};

Error bad_option(const std::string& option, Error error) {
  error.where = option;
  return error;
}

Result<HeadDim> parse_head_dim(const std::string& text) {
  std::vector<int32_t> numbers;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end && numbers.size() < 3) {
    int32_t number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || number < 1) break;
    numbers.push_back(number);
    at = stop;
    if (at < end && *at == ',' && at + 1 < end) {
      ++at;
    } else {
      break;
    }
  }
  if (at != end || numbers.empty() || numbers.size() > 2) {
    return Error{ErrorCode::kInvalid, "--head-dim", "N, or N,N for q/k and v", "'" + text + "'",
                 ""};
  }
  return HeadDim{numbers.front(), numbers.back()};
}

Result<Features> parse_features(const std::string& text) {
  Features features;
  size_t begin = 0;
  while (begin <= text.size() && !text.empty()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const Result<Feature> feature = parse_feature(text.substr(begin, end - begin));
    if (!feature.ok()) return bad_option("--features", feature.error());
    features.insert(*feature);
    begin = end + 1;
  }
  return features;
}

// A parsed option, put into `to`; the first error stays.
template <class T, class U>
void take(Result<T> value, const char* option, U& to, std::optional<Error>& error) {
  if (value.ok()) {
    to = *std::move(value);
  } else if (!error) {
    error = bad_option(option, std::move(value).error());
  }
}

Result<Request> to_request(const SelectArgs& args) {
  Request request;
  std::optional<Error> error;
  take(parse_device(args.device, probe_host()), "--device", request.device, error);
  take(parse_op(args.op), "--op", request.op, error);
  take(parse_dtype(args.q), "--q", request.q, error);
  if (!args.out.empty()) take(parse_dtype(args.out), "--out", request.out, error);
  take(parse_cache_kind(args.cache), "--cache", request.cache, error);
  take(parse_layout(args.layout), "--layout", request.layout, error);
  take(parse_head_dim(args.head_dim), "--head-dim", request.head_dim, error);
  take(parse_strides(args.tensors), "--tensors", request.tensors, error);
  take(parse_strides(args.pages), "--pages", request.pages, error);
  take(parse_features(args.features), "--features", request.features, error);
  request.q_heads = args.q_heads;
  request.kv_heads = args.kv_heads;
  request.block_size = args.block_size;
  request.query_tokens = args.query_tokens;
  request.alignment = args.alignment;
  if (error) return *error;
  const Status sound = check(request);
  if (!sound.ok()) return sound.error();
  return normalised(request);
}

Result<std::vector<Format>> to_formats(const SelectArgs& args, const Request& request) {
  const Result<Spelling> spelling = parse_spelling(args.kv);
  if (!spelling.ok()) return bad_option("--kv", spelling.error());
  SpellingContext context;
  context.model_dtype = request.q;
  context.cache = request.cache;
  context.head_dim = request.head_dim;
  context.gfx = request.device.gfx;
  Result<std::vector<Format>> formats = resolve(*spelling, context);
  if (!formats.ok()) return bad_option("--kv", formats.error());
  return formats;
}

// What was decided, and all that its presentation needs.
struct Outcome {
  SpelledDecision made;
  std::vector<Format> formats;
  std::vector<Alternative> alternatives;
  Choice choice;      // where something was chosen
  std::string kv;     // as written
  std::string asked;  // the same where it stands for several formats, else ""

  const Candidate* chosen() const {
    return made.decision.chosen ? &made.decision.candidates[*made.decision.chosen] : nullptr;
  }
};

Json outcome_json(const Outcome& outcome, const Catalog& catalog, const Policy& policy) {
  const Request& request = outcome.made.request;
  Json json = {{"request", to_json(request, outcome.kv)},
               {"resolved", {{"kv", name(request.kv)}}},
               {"chosen", nullptr},
               {"candidates", Json::array()},
               {"alternatives", Json::array()}};
  if (!outcome.asked.empty()) {
    for (Format format : outcome.formats) json["resolved"]["kv_all"].push_back(name(format));
  }
  if (const Candidate* chosen = outcome.chosen()) {
    json["chosen"] = chosen_json(chosen->plugin, chosen->kernel, catalog);
    json["kv_bytes_per_token"] = bytes_json(kv_bytes_per_token(request));
    json["reason"] = choice_json(outcome.choice, outcome.made.decision, catalog, policy);
  }
  for (const Candidate& c : outcome.made.decision.candidates) {
    json["candidates"].push_back(to_json(c, request, catalog, policy, outcome.asked));
  }
  for (const Alternative& alternative : outcome.alternatives) {
    json["alternatives"].push_back(to_json(alternative, catalog));
  }
  return json;
}

std::string outcome_text(const Outcome& outcome, const Catalog& catalog, const Policy& policy,
                         Detail detail) {
  const Request& request = outcome.made.request;
  const Candidate* chosen = outcome.chosen();
  std::string text = printable(request_text(request, outcome.kv)) + "\n\n";
  if (chosen != nullptr) {
    const Manifest& plugin = catalog.entries()[chosen->plugin].manifest;
    text += "chosen: " + plugin.name + " " + plugin.kernels[chosen->kernel].name + ", " +
            number_text(kv_bytes_per_token(request), 6) + " KV bytes a token and layer\n" +
            "why: " + choice_text(outcome.choice, outcome.made.decision, catalog, policy) + "\n";
  } else {
    text += "nothing can serve this\n";
  }
  if (chosen == nullptr || detail == Detail::kAllKernels) {
    text += "\n" + candidates_text(outcome.made.decision.candidates, request, catalog, policy,
                                   outcome.asked);
  }
  if (!outcome.alternatives.empty()) {
    text += "\nwhat would be served, checked:\n" + alternatives_text(outcome.alternatives, catalog);
  }
  return text;
}

Status add_profile(const SelectArgs& args, const Request& request, Policy& policy) {
  if (args.profile.empty()) return Done{};
  Result<Profile> profile = load_profile(args.profile);
  if (!profile.ok()) return profile.error();
  if (Status s = check(*profile, request.device, probe_host()); !s.ok()) return s;
  policy.profile = std::make_shared<const Profile>(*std::move(profile));
  return Done{};
}

int run_select(const SelectArgs& args, const Common& common) {
  const Result<Request> request = to_request(args);
  if (!request.ok()) return report(request.error());
  Outcome outcome;
  outcome.kv = args.kv;
  Result<std::vector<Format>> formats = to_formats(args, *request);
  if (!formats.ok()) return report(formats.error());
  outcome.formats = *std::move(formats);
  if (outcome.formats.size() > 1) outcome.asked = args.kv;

  const PluginRegistry registry = PluginRegistry::scan(common.search());
  const Catalog& catalog = registry.catalog();
  Policy policy;
  policy.require = args.backend;
  if (const RefusedPlugin* refused = registry.find_refused(args.backend)) {
    return report(refused->reason);
  }
  const Status sound = check(policy, catalog);
  if (!sound.ok()) return report(bad_option("--backend", sound.error()));
  if (Status s = add_profile(args, *request, policy); !s.ok()) return report(s.error());
  outcome.made = select(*request, outcome.formats, catalog, policy);
  if (outcome.chosen() == nullptr) {
    outcome.alternatives = alternatives(*request, outcome.formats, catalog, policy);
  } else {
    outcome.choice = explain_choice(outcome.made.decision, outcome.made.request, catalog, policy);
  }
  const int code = outcome.chosen() != nullptr ? 0 : static_cast<int>(ErrorCode::kNoBackend);
  if (common.json) return finish(dump(outcome_json(outcome, catalog, policy)), code);
  return finish(outcome_text(outcome, catalog, policy, args.detail()), code);
}

}  // namespace

void add_select(CLI::App& app, const Common& common, Action& action) {
  CLI::App* sub = app.add_subcommand("select", "Which kernel serves one request, and why no other");
  auto args = std::make_shared<SelectArgs>();
  sub->add_option("--device", args->device,
                  "cpu, cpu:avx2+fma, cuda:0, cuda:sm_90, rocm:gfx942, xpu")
      ->required();
  sub->add_option("--op", args->op, "append, prefill, decode, mixed or merge")
      ->capture_default_str();
  sub->add_option("--q", args->q, "Dtype of the queries")->capture_default_str();
  sub->add_option("--out", args->out, "Dtype of the output; that of the queries by default");
  sub->add_option("--kv", args->kv, "Format of the KV cache")->capture_default_str();
  sub->add_option("--head-dim", args->head_dim, "N, or N,N for q/k and v")->capture_default_str();
  sub->add_option("--q-heads", args->q_heads, "Query heads")
      ->transform(whole_number(1, 1 << 20))
      ->type_name("N")
      ->capture_default_str();
  sub->add_option("--kv-heads", args->kv_heads, "KV heads")
      ->transform(whole_number(1, 1 << 20))
      ->type_name("N")
      ->capture_default_str();
  sub->add_option("--block,--block-size,--block_size", args->block_size, "Tokens in a block")
      ->transform(whole_number(1, 1 << 20))
      ->type_name("N")
      ->capture_default_str();
  sub->add_option("--query-tokens", args->query_tokens, "Query tokens of a sequence")
      ->transform(whole_number(1, 1 << 30))
      ->type_name("N")
      ->capture_default_str();
  sub->add_option("--cache", args->cache, "separate, or latent (MLA)")->capture_default_str();
  sub->add_option("--layout", args->layout, "nhd or hnd")->capture_default_str();
  sub->add_option("--tensors", args->tensors,
                  "Rows of q, k, v, out and lse: packed, or strided as slices of wider tensors are")
      ->capture_default_str();
  sub->add_option("--pages", args->pages,
                  "The cache's rows and blocks: packed, or strided with anything between")
      ->capture_default_str();
  sub->add_option("--alignment", args->alignment,
                  "Bytes of which pointers and strides of both are multiples")
      ->transform(whole_number(1, 1 << 30))
      ->type_name("N")
      ->capture_default_str();
  sub->add_option("--features", args->features, "Mask and wishes: causal,window,lse,…")
      ->capture_default_str();
  sub->add_option("--backend", args->backend, "Only this plugin")
      ->check(not_empty("the name of a plugin"));
  sub->add_option("--profile", args->profile,
                  "Measured profile of attnrt bench, preferred over the manifests' scores")
      ->check(not_empty("a file's name"))
      ->type_name("FILE");
  sub->add_flag("--all", args->all, "Print the reasons of all kernels, even if one was chosen");
  sub->callback(
      [args, &common, &action] { action = [args, &common] { return run_select(*args, common); }; });
}

}  // namespace attnrt::command
