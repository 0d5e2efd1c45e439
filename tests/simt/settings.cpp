#include "tests/simt/settings.hpp"

namespace attnrt::simt {

Settings& settings() {
  static Settings instance;
  return instance;
}

}  // namespace attnrt::simt
