#include "attnrt/result.hpp"

namespace attnrt {

std::string to_string(const Error& error) {
  std::string text;
  if (!error.where.empty()) text += error.where + ": ";
  if (!error.expected.empty()) text += "expected " + error.expected + ", found ";
  text += error.found;
  if (!error.remedy.empty()) text += "; " + error.remedy;
  return text;
}

}  // namespace attnrt
