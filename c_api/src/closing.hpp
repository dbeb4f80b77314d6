// Closing pools: one with its replicas, several at the same time, all.
//
// Threads: any, but not from a callback or driver function of a pool that is to be closed.
// Failure: Status; the pools are closed nevertheless, except where the error says that nothing was closed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <tidepool/tidepool.h>

#include "base/instant.hpp"
#include "base/status.hpp"

namespace tide {

// Without a timeout: the pool's own shutdown_timeout.
Status close_pool(tide_pool* pool, std::optional<Span> timeout);
Status close_all_pools(std::optional<Span> timeout);
// At the same time.
Status close_pools(const std::vector<tide_pool*>& pools, std::optional<Span> timeout);
// A pool of this program, also one that belongs to a group.
Status close_opened(uint64_t handle, std::optional<Span> timeout);
// The error if a caller is within a callback or driver function, which must not close pools.
Status check_outside(const std::vector<tide_pool*>& pools);

}  // namespace tide
