#include "brain/sizing/window.hpp"

namespace tide::brain {

void StabilisationWindow::add(double now_s, int64_t recommended) {
  while (count_ > 0 && at(count_ - 1).value <= recommended) --count_;
  if (count_ == kEntries) {
    at(count_ - 1).at_s = now_s;
    return;
  }
  at(count_++) = {now_s, recommended};
}

void StabilisationWindow::forget_before(double t_s) {
  while (count_ > 1 && at(0).at_s < t_s) {
    first_ = (first_ + 1) % kEntries;
    --count_;
  }
}

}  // namespace tide::brain
