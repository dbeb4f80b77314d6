// Faults: which failures of a statement indicate a problem of the database or of the network.
#pragma once

#include "base/status.hpp"

namespace tide {

// False for success, and for what a healthy application causes in normal work: a violated constraint, a conflict with
// another transaction, an error it raised itself, a lock it did not want to wait for, a statement it cancelled, an
// invalid call. True for all the rest, including exceeded deadlines.
bool is_fault(const Status& status) noexcept;

}  // namespace tide
