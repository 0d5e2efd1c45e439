// The report of runs as one page for a browser.
#pragma once

#include <string>
#include <vector>

#include "attnrt/run.hpp"

namespace attnrt::command {

std::string html_report(const std::vector<RunReport>& reports);

}  // namespace attnrt::command
