#include <bit>

#include "config/sections.hpp"

namespace attnrt::config {
namespace {

constexpr Features kWantable{Feature::kLse, Feature::kPerHeadScales, Feature::kBatchInvariant,
                             Feature::kGraph, Feature::kDeviceLengths};

std::optional<DType> read_dtype(Reader& reader, std::string_view key) {
  const Tree* value = reader.get(key);
  if (value == nullptr || value->text == "auto") return std::nullopt;
  Result<DType> dtype = parse_dtype(value->text);
  if (dtype.ok()) return *dtype;
  reader.scope().fail(value->at, std::move(dtype).error());
  return std::nullopt;
}

Strides read_strides(Reader& reader, std::string_view key) {
  const Tree* value = reader.get(key);
  if (value == nullptr) return Strides::kPacked;
  Result<Strides> strides = parse_strides(value->text);
  if (strides.ok()) return *strides;
  reader.scope().fail(value->at, std::move(strides).error());
  return Strides::kPacked;
}

int32_t read_alignment(Reader& reader) {
  const int32_t bytes = reader.integer("alignment", 1, 1 << 30).value_or(kUsualAlignment);
  if (!std::has_single_bit(static_cast<uint32_t>(bytes))) {
    const Tree& value = *reader.get("alignment");
    reader.scope().fail(value.at, "a power of two for alignment, in bytes", describe(value),
                        "e.g. 16");
  }
  return bytes;
}

void read_features(Reader& reader, RunConfig& run) {
  const Tree* value = reader.get("features");
  if (value == nullptr) return;
  const std::string expected =
      "a list of lse, per_head_scales, batch_invariant, graph, "
      "device_lengths";
  if (value->kind != Tree::Kind::kSequence) {
    reader.scope().fail(value->at, expected, describe(*value));
    return;
  }
  for (const Tree& item : value->items) {
    const Result<Feature> feature = parse_feature(item.text);
    if (feature.ok() && kWantable.contains(*feature)) {
      run.features.insert(*feature);
      continue;
    }
    reader.scope().fail(item.at, expected, describe(item),
                        feature.ok() ? "that is a fact of the model, not a wish" : "");
  }
}

}  // namespace

std::optional<VerifyConfig> read_verify(const Tree* section, Scope& scope) {
  if (section == nullptr) return std::nullopt;
  if (section->kind == Tree::Kind::kScalar && section->text == "none") return std::nullopt;
  Reader reader(*section, scope, "verify");
  VerifyConfig verify;
  verify.against = reader.text("against", "a plugin's name").value_or(verify.against);
  if (const Tree* value = reader.get("sample")) {
    verify.sample = reader.number("sample", 0, 1).value_or(1);
    if (verify.sample == 0) {
      scope.fail(value->at, "a fraction above 0 and up to 1", describe(*value),
                 "verify: none compares nothing");
    }
  }
  verify.max_error = reader.number("max_error", 0, 1e6);
  reader.finish();
  return verify;
}

void read_request(const Tree* section, Scope& scope, RunConfig& run) {
  const Tree none;
  Reader reader(section == nullptr ? none : *section, scope, "request");
  run.q = read_dtype(reader, "q");
  run.out = read_dtype(reader, "out");
  read_features(reader, run);
  run.tensors = read_strides(reader, "tensors");
  run.pages = read_strides(reader, "pages");
  run.alignment = read_alignment(reader);
  run.decode_query_tokens = reader.integer("query_tokens", 1, 1 << 16).value_or(1);
  reader.finish();
}

ReportConfig read_report(const Tree* section, Scope& scope) {
  const Tree none;
  Reader reader(section == nullptr ? none : *section, scope, "report");
  ReportConfig report;
  report.json = reader.text("json", "a file to write").value_or("");
  report.html = reader.text("html", "a file to write").value_or("");
  reader.finish();
  return report;
}

}  // namespace attnrt::config
