// Opening and closing pools: from a caller's texts to a running pool, and back to nothing.
#pragma once

#include <optional>

#include <tidepool/tidepool.h>

#include "base/instant.hpp"
#include "base/status.hpp"

namespace tide {

// `options` is complete (read_struct() has been there).
Result<tide_pool*> open_pool(const char* name, const char* url, const char* words, const tide_pool_options& options);
// Without a span: the pool's own shutdown_timeout.
Status close_pool(tide_pool* pool, std::optional<Span> timeout);
Status close_all_pools(std::optional<Span> timeout);

}  // namespace tide
