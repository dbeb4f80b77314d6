// Opening pools: from a caller's texts to a running pool, alone or with its replicas.
#pragma once

#include <string>

#include <tidepool/tidepool.h>

#include "base/status.hpp"

namespace tide {

// `options` is complete (converted by read_struct()).
// `shared`: options of the registry that the pool belongs to.
Result<tide_pool*> open_pool(const char* name, const char* url, const char* words, const tide_pool_options& options,
                             const std::string& shared = {});
// An error for a name that no pool may have.
Status check_pool_name(const char* name);

}  // namespace tide
