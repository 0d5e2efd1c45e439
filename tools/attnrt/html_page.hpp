// Pieces of self-contained HTML: no script, no font, no address of another place.
#pragma once

#include <string>
#include <vector>

namespace attnrt::command {

// Markup and whatever is not printable.
std::string html_escape(const std::string& text);
std::string html_page(const std::string& title, const std::string& body);
// The header, then rows of text; `numeric` columns are aligned to the right.
std::string html_table(const std::vector<std::string>& header,
                       const std::vector<std::vector<std::string>>& rows,
                       const std::vector<bool>& numeric = {});

}  // namespace attnrt::command
