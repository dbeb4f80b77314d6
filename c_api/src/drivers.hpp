// Drivers: which connector serves which target, and the ones programs register themselves.
//
// Threads: any; registered drivers live for ever.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tidepool/tidepool.h>

#include "callbacks.hpp"
#include "policy/parse.hpp"
#include "pool/ports.hpp"

namespace tide {

std::vector<std::string> registered_schemes();
// `application` is what the server may show for our sessions; `callbacks` may be asked for credentials.
// `handle` is the pool's that the program's functions are called for.
Result<std::unique_ptr<Connector>> make_connector(const Target& target, const Policy& policy, const Clock& clock,
                                                  const std::string& application,
                                                  const std::shared_ptr<Callbacks>& callbacks, uint64_t handle);

// The list of registered drivers must not be another thread's when the process forks.
void hold_drivers_for_fork() noexcept;
void release_drivers_after_fork() noexcept;

}  // namespace tide
