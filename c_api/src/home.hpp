// Home: the engine's side of control/local_control.hpp.
#pragma once

namespace tide {

// From now on this process's pools without files can be observed and steered from within it, and the drivers that it has
// registered are known to those who check options.
// Threads: any, any number of times.
void lend_private_pools();

}  // namespace tide
