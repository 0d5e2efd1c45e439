#include "attnrt/html_page.hpp"
#include "attnrt/matrix.hpp"

namespace attnrt::command {

std::string matrix_html(const std::vector<Manifest>& manifests) {
  const FormatTable formats = format_table(manifests);
  std::vector<std::vector<std::string>> rows;
  for (const FormatRow& row : formats.rows) {
    rows.push_back({row.format});
    rows.back().insert(rows.back().end(), row.cells.begin(), row.cells.end());
  }
  std::vector<std::vector<std::string>> kernels;
  for (const Manifest& manifest : manifests) {
    for (const KernelManifest& kernel : manifest.kernels) {
      kernels.push_back(matrix_row(manifest, kernel));
    }
  }
  return html_page("attnrt: what is supported",
                   "<h2>KV formats</h2><p>Which plugins attend over a cache of a format, and on "
                   "which devices.</p>" +
                       html_table(formats.header(), rows) +
                       "<h2>Kernels</h2><p>A kernel serves what lies in all of its lists; a plugin "
                       "serves what any of its kernels serves.</p>" +
                       html_table(kMatrixHeader, kernels));
}

}  // namespace attnrt::command
