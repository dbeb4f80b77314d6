// Drivers: which connector serves which target, and the ones programs register themselves.
//
// Threads: any; registered drivers live for ever.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tidepool/tidepool.h>

#include "policy/parse.hpp"
#include "pool/ports.hpp"

namespace tide {

std::vector<std::string> registered_schemes();
Result<std::unique_ptr<Connector>> make_connector(const Target& target, const Policy& policy, const Clock& clock);

}  // namespace tide
