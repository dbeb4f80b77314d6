// Opening and closing pools: from a caller's texts to a running pool, and closing it.
#pragma once

#include <optional>

#include <tidepool/tidepool.h>

#include "base/instant.hpp"
#include "base/status.hpp"

namespace tide {

// `options` is complete (converted by read_struct()).
Result<tide_pool*> open_pool(const char* name, const char* url, const char* words, const tide_pool_options& options);
// Without a timeout: the pool's own shutdown_timeout.
Status close_pool(tide_pool* pool, std::optional<Span> timeout);
Status close_all_pools(std::optional<Span> timeout);

}  // namespace tide
