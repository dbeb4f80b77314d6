// User: who this process runs as.
#pragma once

#include <string>

namespace tide {

// The name of the effective user, or "uid 1000" where it has none.
std::string user_name();

}  // namespace tide
