// Home: the engine's side of segment/local_pools.hpp.
#pragma once

namespace tide {

// After this call, pools of this process without files can be observed and controlled from within the process, and
// checks of options know the drivers that it has registered.
// Threads: any, any number of times.
void lend_private_pools();

}  // namespace tide
