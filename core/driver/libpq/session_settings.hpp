// What the pool and its target want every session to be set to, where it cannot travel as start-up options.
//
// Threads: pure. Failure: a switch of `options` that is no setting is told as a Status.
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

// The policy's timeouts, in milliseconds; those that are off are left out.
SessionSettings session_settings(const Policy& policy);

// The settings in the text of libpq's `options`: -c name=value and --name=value, blanks and backslashes escaped by a
// backslash, as the server reads them.
Result<SessionSettings> settings_in(std::string_view options);

// Calls of set_config() for a SELECT, parted by commas; empty for none. Not SET, which takes a list such as
// search_path for one name when it is quoted.
std::string set_config_calls(const SessionSettings& settings);

}  // namespace tide::libpq
