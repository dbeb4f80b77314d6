// One line of the log, without its end.
#pragma once

#include <string>
#include <string_view>

#include "policy/policy.hpp"
#include "pool/log_fact.hpp"

namespace tide {

// Keys, always in this order, those without a value left out: time, level (info, warning, critical), pool, event, message,
// tag, conn_id, lease_id, detail. Values with blanks, quotes or "=" stand in double quotes, with JSON's escapes; so
// a line is one line whatever a text holds, and passwords are masked. `detail` is a JSON object in both forms.
std::string log_line(const LogFact& fact, std::string_view pool, LogFormat format);

}  // namespace tide
