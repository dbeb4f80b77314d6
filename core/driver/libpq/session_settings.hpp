// Session settings of the policy and the target, for sessions in which they cannot be sent as startup options.
//
// Threads: pure. Failure: a Status for a word in `options` that is not a setting.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "policy/policy.hpp"

namespace tide::libpq {

// Name and value, in the order in which they are set.
using SessionSettings = std::vector<std::pair<std::string, std::string>>;

// The timeouts of the policy, in milliseconds; disabled ones are omitted.
SessionSettings session_settings(const Policy& policy);

// Parses the settings in `options` of libpq: -c name=value and --name=value, with blanks and backslashes escaped by a
// backslash, as the server does.
Result<SessionSettings> settings_in(std::string_view options);

// Calls of set_config() for a SELECT, separated by commas. SET cannot be used, because it treats a quoted list such as
// search_path as one name.
std::string set_config_calls(const SessionSettings& settings);

}  // namespace tide::libpq
