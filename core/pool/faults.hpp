// Faults: which failures of a statement say that something is wrong with the database or the way to it.
#pragma once

#include "base/status.hpp"

namespace tide {

// False for success, and for what a healthy application provokes in normal work: a broken constraint, a conflict with
// another transaction, an error it raised itself, a lock it did not want to wait for, a statement it cancelled, a call
// that was wrong. True for all the rest, deadlines included.
bool is_fault(const Status& status) noexcept;

}  // namespace tide
