// Connection strings of libpq: host=... dbname='...' user=...
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"

namespace tide {

struct ConninfoWord {
  std::string_view raw;  // "key = 'value'" as given
  std::string key;
  std::string value;  // without quotes and backslashes
};

// Whether `text` begins with a word and "=".
bool looks_like_conninfo(std::string_view text);

// The grammar of libpq: single quotes, backslash before a quote or backslash, blanks around "=".
// Fails with bad_argument and the position. The text is not quoted, because it may contain the password.
Result<std::vector<ConninfoWord>> split_conninfo(std::string_view text);

// Quotes a value for a connection string.
std::string conninfo_quoted(std::string_view value);

}  // namespace tide
