// Lease watch: leases that are out too long, and transactions their holders sit in.
//
// Each lease is told about once per rule: suspect (leak_threshold), overdue (lease_timeout), then what
// lease_timeout_action says: report does nothing more, cancel interrupts, reclaim revokes. A transaction or a read
// snapshot is ended once; the keeper tells about that, because only it learns whether it could be done.
// Goes on while the pool is paused or draining: a forgotten lease must not keep a drain from ending unseen.
// Threads: the keeper's only. Memory: the flags of the dossiers.
#pragma once

#include "brain/desk.hpp"

namespace tide::brain {

void watch_leases(Desk& desk);

}  // namespace tide::brain
