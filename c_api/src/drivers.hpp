// Drivers: the connector for each target, and the drivers that programs register.
//
// Threads: any; registered drivers live forever.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tidepool/tidepool.h>

#include "callbacks.hpp"
#include "policy/parse.hpp"
#include "pool/listening_port.hpp"
#include "pool/ports.hpp"
#include "pool/target_probe.hpp"

namespace tide {

std::vector<std::string> registered_schemes();
// `application` is the name that the server may show for the sessions; `callbacks` is asked for credentials. `handle`
// is that of the pool for which the program's functions are called.
Result<std::unique_ptr<Connector>> make_connector(const Target& target, const Policy& policy, const Clock& clock,
                                                  const std::string& application,
                                                  const std::shared_ptr<Callbacks>& callbacks, uint64_t handle,
                                                  TargetRole role = TargetRole::single);
// What makes the connection for notifications; empty if the database has none.
using ListeningMaker = std::function<std::unique_ptr<ListeningPort>(const Policy&)>;
ListeningMaker make_listening(const Target& target, const std::string& application,
                              const std::shared_ptr<Callbacks>& callbacks);
// Asks a server of a group for its role and position.
std::unique_ptr<TargetProbe> make_probe(const Target& target, const Policy& policy, const Clock& clock,
                                        const std::string& application, const std::shared_ptr<Callbacks>& callbacks,
                                        TargetRole role);

// Locks the list of registered drivers, so that no other thread holds it when the process forks.
void hold_drivers_for_fork() noexcept;
void release_drivers_after_fork() noexcept;

}  // namespace tide
