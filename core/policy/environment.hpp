// Options and targets from environment variables. Only the variables listed here are read.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.hpp"

namespace tide {

struct GivenOption;

// Reads an environment variable; nullptr when unset. Injected so that tests need no real environment.
using EnvironmentReader = std::function<const char*(const char*)>;

struct Environment {
  EnvironmentReader read;
  std::vector<std::string> names;         // of the variables that begin with TIDEPOOL_, if known
  std::function<int64_t()> memory_limit;  // of the process, in bytes, 0 if unknown; called for preset=auto only

  Environment() = default;
  template <std::convertible_to<EnvironmentReader> Read>
  Environment(Read reader) : read(std::move(reader)) {}  // NOLINT: implicit on purpose
};

// TIDEPOOL_MAX_SIZE and so on, one for every option; if it is not set, the variable of other pools with the same meaning:
// HEALTH_CHECK_INTERVAL, ENABLE_POOL_LOGGING, DEBUG=true. An empty variable counts as unset, as in shells and Compose files.
std::vector<GivenOption> options_from_environment(const Environment& environment);

// Appends an error to `refusals` for each of `environment.names` that is unknown. Not reported are TIDEPOOL_DIR, variables
// of scripts such as TIDEPOOL_LIBRARY, and what Kubernetes sets for a service called tidepool.
void refuse_unknown_variables(const Environment& environment, std::vector<Status>& refusals);

// DATABASE_URL, else keywords from DB_HOST, DB_PORT, DB_NAME, DB_USERNAME and DB_PASSWORD, of which DB_HOST or DB_NAME
// must be set. Fails with bad_argument if neither is set.
struct EnvironmentUrl {
  std::string url;
  std::string_view from;  // for error messages
};
Result<EnvironmentUrl> url_from_environment(const Environment& environment);

}  // namespace tide
