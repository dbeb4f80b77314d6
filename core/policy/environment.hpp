// What the environment says about a pool. Only the variables named here are read.
#pragma once

#include <string>
#include <vector>

#include "policy/given.hpp"
#include "policy/parse.hpp"

namespace tide {

// TIDEPOOL_MAX_SIZE and so on, one for every option. An empty variable counts as unset, as in shells and composers.
std::vector<GivenOption> options_from_environment(const EnvironmentReader& environment);

// DATABASE_URL, else key words from DB_HOST, DB_PORT, DB_NAME, DB_USERNAME and DB_PASSWORD, of which DB_HOST or DB_NAME
// must be set. Fails with bad_argument when there is neither.
struct EnvironmentUrl {
  std::string url;
  std::string_view from;  // for error texts
};
Result<EnvironmentUrl> url_from_environment(const EnvironmentReader& environment);

}  // namespace tide
