#include "control/local_control.hpp"

#include <atomic>

namespace tide {
namespace {

std::atomic<const LocalControl*> the_control{nullptr};

}  // namespace

void set_local_control(const LocalControl* control) noexcept { the_control.store(control, std::memory_order_release); }

const LocalControl* local_control() noexcept { return the_control.load(std::memory_order_acquire); }

}  // namespace tide
