// CacheTerms of a call, as the program passes them.
#pragma once

#include <tidepool/query.h>

#include "base/status.hpp"
#include "service/service.hpp"

namespace tide {

// Whether a function can use the query cache.
enum class Caching : uint8_t { refused, allowed };

Status check_cache(const tide_query_options& with, Caching caching);
CacheTerms cache_terms_of(const tide_query_options& with);

}  // namespace tide
