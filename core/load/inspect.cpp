#include "load/inspect.hpp"

#include "attnrt/plugin.h"
#include "format/utf8.hpp"

namespace attnrt::load {

Checked<Inspected> inspect_file(const std::string& path, const TrustRules& rules) {
  auto file = open_trusted(path, rules);
  if (!file) return file.error();
  auto image = inspect_plugin(file->source());
  if (!image) return image.error();
  return Inspected{file->real_path(), file->identity(), std::move(*image)};
}

Checked<std::string> read_bare_manifest(const std::string& path) {
  auto file = open_regular(path);
  if (!file) return file.error();
  const FileSource source = file->source();
  if (source.size() > ATTNRT_MANIFEST_MAX_BYTES) {
    return refuse(RefusalKind::kManifestText,
                  "at most " + std::to_string(ATTNRT_MANIFEST_MAX_BYTES) + " bytes of text",
                  "the file has " + std::to_string(source.size()), "shorten the manifest");
  }
  const auto bytes = read_table<char>(source, 0, source.size());
  if (!bytes) {
    return refuse(RefusalKind::kUnreadable, "a readable file", "it could not be read whole",
                  "check the file system");
  }
  std::string text(bytes->begin(), bytes->end());
  if (first_non_text(text)) return not_plain_text();
  return text;
}

Checked<Manifest> read_manifest(const std::string& text, const std::string& origin) {
  auto manifest = parse_manifest(text, origin);
  if (!manifest) {
    Error error = std::move(manifest.error());
    error.code = ErrorCode::kPluginRefused;
    return Refusal{RefusalKind::kManifestText, std::move(error)};
  }
  if (manifest->abi != ATTNRT_ABI_MAJOR) {
    return refuse(RefusalKind::kAbi, "a plugin for ABI " + std::to_string(ATTNRT_ABI_MAJOR),
                  "its manifest says abi: " + std::to_string(manifest->abi),
                  "install the plugin's build for ABI " + std::to_string(ATTNRT_ABI_MAJOR));
  }
  return std::move(*manifest);
}

}  // namespace attnrt::load
