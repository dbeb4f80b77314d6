// Opening and closing pools: from a caller's texts to a running pool, and closing it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tidepool/tidepool.h>

#include "base/instant.hpp"
#include "base/status.hpp"

namespace tide {

// `options` is complete (converted by read_struct()).
// `shared`: options of the registry that the pool belongs to.
Result<tide_pool*> open_pool(const char* name, const char* url, const char* words, const tide_pool_options& options,
                             const std::string& shared = {});
// Without a timeout: the pool's own shutdown_timeout.
Status close_pool(tide_pool* pool, std::optional<Span> timeout);
Status close_all_pools(std::optional<Span> timeout);
// At the same time.
Status close_pools(const std::vector<tide_pool*>& pools, std::optional<Span> timeout);
// The error if a caller is within a callback or driver function, which must not close pools.
Status check_outside(const std::vector<tide_pool*>& pools);
// An error for a name that no pool may have.
Status check_pool_name(const char* name);

}  // namespace tide
