// A mistake of a kernel: thrown where it is seen, and told by launch().
#pragma once

#include <stdexcept>

namespace attnrt::simt {

// The text begins with the thread ("thread 17 reads ..."); the block is added where it is caught.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace attnrt::simt
