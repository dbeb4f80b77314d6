// Lease watch: leases that last too long, and transactions in which their holders are idle.
//
// Each lease is reported once per rule: suspect (leak_threshold), overdue (lease_timeout), then lease_timeout_action is
// applied: report does nothing more, cancel interrupts, reclaim revokes. A transaction or a read snapshot is ended
// once; the keeper reports that, because only it learns whether it was possible.
// Continues while the pool is paused or draining: a forgotten lease must not block a drain unnoticed.
// Threads: the keeper only. Memory: the flags of the dossiers.
#pragma once

#include "brain/desk.hpp"

namespace tide::brain {

void watch_leases(Desk& desk);

}  // namespace tide::brain
