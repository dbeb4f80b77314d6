// User: the user this process runs as.
#pragma once

#include <string>

namespace tide {

// The name of the effective user, or such as "uid 1000" if it has no name.
std::string user_name();
std::string user_name(unsigned uid);

}  // namespace tide
