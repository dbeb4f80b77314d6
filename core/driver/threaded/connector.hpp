// Threaded connectors: let the keeper use a blocking driver without blocking.
#pragma once

#include <memory>

#include "driver/threaded/blocking_driver.hpp"
#include "pool/ports.hpp"

namespace tide {

// The calls of the driver are made in helper threads, which are started when needed. A call that misses its deadline is
// reported as failed; its session, or the one that it opens, is closed when it returns.
// Throws Shortage if no descriptor is available.
// Threads  as pool/ports.hpp says; the clock must be valid until the process ends.
std::unique_ptr<Connector> make_threaded_connector(std::unique_ptr<BlockingDriver> driver, const Clock& clock);

}  // namespace tide
