// Threaded connectors: a blocking driver's door for the keeper, which never waits for it.
#pragma once

#include <memory>

#include "driver/threaded/blocking_driver.hpp"
#include "pool/ports.hpp"

namespace tide {

// The driver's calls are made on helper threads, which are started when they are needed. A call that misses its
// deadline is answered as failed: its session is closed when it comes back, and what it opens is closed then.
// Throws Shortage where no descriptor is left.
// Threads  as pool/ports.hpp says; the clock must live as long as the process.
std::unique_ptr<Connector> make_threaded_connector(std::unique_ptr<BlockingDriver> driver, const Clock& clock);

}  // namespace tide
