// Formats a line of the log, without the line break.
#pragma once

#include <string>
#include <string_view>

#include "policy/policy.hpp"
#include "pool/log_fact.hpp"

namespace tide {

// Keys, always in this order, omitted if they have no value: time, level (info, warning, critical), pool, event, message,
// tag, conn_id, lease_id, detail. Values with blanks, quotes or "=" are in double quotes, with the escapes of JSON, so that
// every text results in one line. Passwords are masked. `detail` is a JSON object in both formats.
std::string log_line(const LogFact& fact, std::string_view pool, LogFormat format);

}  // namespace tide
