#include "config/files.hpp"
#include "config/sections.hpp"

namespace attnrt::config {
namespace {

constexpr int32_t kMaxTokens = 1 << 28;
constexpr int32_t kMaxSequences = 1 << 16;
constexpr int32_t kMaxStepsBetween = 1 << 14;  // the last arrival stays below 2^30

// The same numbers everywhere: the standard's distributions differ between libraries.
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  int32_t between(int32_t min, int32_t max) {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return min + static_cast<int32_t>(z % (uint64_t(max) - uint64_t(min) + 1));
  }

 private:
  uint64_t state_;
};

// A bare name is one of the cache folder; without that it stays bare, which only a run minds.
std::string recording_path(const Tree& value, const std::string& text, Scope& scope,
                           const Surroundings& around) {
  const bool bare = text.find('/') == std::string::npos;
  const std::string& folder = bare ? around.context.cache_folder : around.folder;
  if (folder.empty()) return text;
  Result<std::string> path = resolve_path(text, folder);
  if (path.ok()) return *std::move(path);
  scope.fail(value.at, std::move(path).error());
  return "";
}

Workload read_recorded(Reader& reader, const Surroundings& around) {
  RecordedWorkload work;
  if (const Tree* value = reader.need("file", "a recording (file: NAME.safetensors)")) {
    if (auto text = as_text(*value, reader.scope(), "a recording's file")) {
      work.file = recording_path(*value, *text, reader.scope(), around);
    }
  }
  work.decode_tokens = reader.integer("decode_tokens", 0, kMaxTokens).value_or(work.decode_tokens);
  work.chunk_tokens = reader.integer("chunk_tokens", 0, kMaxTokens).value_or(0);
  work.tokens = reader.integer("tokens", 0, kMaxTokens).value_or(0);
  work.layers = reader.integer("layers", 0, kMaxTokens).value_or(0);
  if (work.tokens > 0 && work.decode_tokens >= work.tokens) {
    reader.scope().fail(reader.at(), "fewer decode_tokens than tokens",
                        std::to_string(work.decode_tokens) + " of " + std::to_string(work.tokens));
  }
  return work;
}

// A list of lengths, or {count: 8, min: 16, max: 1024}: drawn evenly with the seed.
void read_lengths(Reader& reader, SyntheticWorkload& work) {
  const Tree* value = reader.need("lengths", "the sequences' lengths (lengths: [128, 512])");
  if (value == nullptr) return;
  Scope& scope = reader.scope();
  if (value->kind == Tree::Kind::kSequence) {
    for (const Tree& item : value->items) {
      const auto length = as_integer(item, scope, 0, kMaxTokens);
      if (length) work.prompt_tokens.push_back(static_cast<int32_t>(*length));
    }
    if (value->items.empty()) scope.fail(value->at, "at least one length", "an empty list");
    if (value->items.size() > size_t(kMaxSequences)) {
      scope.fail(value->at, "at most " + std::to_string(kMaxSequences) + " lengths",
                 std::to_string(value->items.size()));
    }
    return;
  }
  if (value->kind != Tree::Kind::kMapping) {
    scope.fail(value->at, "a list of lengths, or {count: 8, min: 16, max: 1024}", describe(*value));
    return;
  }
  Reader range(*value, scope, "lengths");
  range.need("count", "how many sequences");
  const int32_t count = range.integer("count", 1, kMaxSequences).value_or(1);
  const int32_t min = range.integer("min", 0, kMaxTokens).value_or(1);
  range.need("max", "the longest length");
  const int32_t max = range.integer("max", min, kMaxTokens).value_or(min);
  range.finish();
  SplitMix random(work.seed);
  for (int32_t i = 0; i < count; ++i) work.prompt_tokens.push_back(random.between(min, max));
}

// together (default), or {every_steps: N}: one sequence more every N steps.
void read_arrivals(Reader& reader, SyntheticWorkload& work) {
  const Tree* value = reader.get("arrivals");
  int32_t every = 0;
  if (value != nullptr && value->kind == Tree::Kind::kMapping) {
    Reader arrivals(*value, reader.scope(), "arrivals");
    arrivals.need("every_steps", "the steps between two arrivals");
    every = arrivals.integer("every_steps", 0, kMaxStepsBetween).value_or(0);
    arrivals.finish();
  } else if (value != nullptr && value->text != "together") {
    reader.scope().fail(value->at, "together, or {every_steps: N}", describe(*value));
  }
  for (size_t i = 0; i < work.prompt_tokens.size(); ++i) {
    work.arrival_step.push_back(static_cast<int32_t>(i) * every);
  }
}

Workload read_synthetic(Reader& reader) {
  SyntheticWorkload work;
  work.seed = uint64_t(reader.integer("seed", 0, INT32_MAX).value_or(1));
  read_lengths(reader, work);
  read_arrivals(reader, work);
  work.decode_steps = reader.integer("decode_steps", 0, kMaxTokens).value_or(work.decode_steps);
  work.chunk_tokens = reader.integer("chunk_tokens", 0, kMaxTokens).value_or(0);
  return work;
}

}  // namespace

Workload read_workload(const Tree* section, Scope& scope, const Surroundings& around) {
  if (section == nullptr) {
    SyntheticWorkload work;  // a plan needs no workload; a run gets a small one
    work.prompt_tokens = {256, 256};
    work.arrival_step = {0, 0};
    return work;
  }
  Reader reader(*section, scope, "workload");
  const Tree* kind = reader.need("kind", "a workload's kind: recorded or synthetic");
  Workload work = SyntheticWorkload{};
  if (kind != nullptr && kind->text == "recorded") {
    work = read_recorded(reader, around);
  } else if (kind != nullptr && kind->text == "synthetic") {
    work = read_synthetic(reader);
  } else if (kind != nullptr) {
    scope.fail(kind->at, "recorded or synthetic", describe(*kind));
  }
  reader.finish();
  return work;
}

}  // namespace attnrt::config
