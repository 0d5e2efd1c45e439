#include "tests/simt/fibers.hpp"

#include <boost/context/protected_fixedsize_stack.hpp>
#include <memory>

namespace attnrt::simt {
namespace context = boost::context;

Fibers::~Fibers() {
  closing_ = true;
  const int count = static_cast<int>(slots_.size()) - 1;
  for (int i = 0; i < count; ++i) {
    switch_to(i);
    slot(i).annotation.destroy();
  }
}

void Fibers::grow(int count) {
  slot(kMain).annotation.adopt_thread();
  for (int i = static_cast<int>(slots_.size()) - 1; i < count; ++i) {
    slots_.emplace_back();
    make(i);
  }
}

void Fibers::make(int index) {
  context::protected_fixedsize_stack allocator(kStackBytes);
  const context::stack_context stack = allocator.allocate();
  slot(index).annotation.create(static_cast<const char*>(stack.sp) - stack.size, stack.size);
  // Where all stacks began at the same place of a page, their tops would be the same few sets of
  // the cache.
  const size_t skipped = static_cast<size_t>(index) % 64 * 64;
  slot(index).fiber = context::fiber(
      std::allocator_arg,
      context::preallocated(static_cast<char*>(stack.sp) - skipped, stack.size - skipped, stack),
      allocator, [this, index](context::fiber&& from) { return live(index, std::move(from)); });
  // It comes back at once, and from then on every fiber waits in switch_to().
  switch_to(index);
}

context::fiber Fibers::live(int index, context::fiber&& from) {
  arrive(std::move(from));
  int next = kMain;
  while (true) {
    switch_to(next);
    if (closing_) break;
    next = body_(owner_, index);
  }
  slot(index).annotation.end_for(slot(kMain).annotation);
  left_ = std::exchange(running_, kMain);
  return std::move(slot(kMain).fiber);
}

}  // namespace attnrt::simt
