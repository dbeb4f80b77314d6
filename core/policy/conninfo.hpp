// libpq key words: host=... dbname='...' user=...
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"

namespace tide {

struct ConninfoWord {
  std::string_view raw;  // "key = 'value'" as typed
  std::string key;
  std::string value;  // without quotes and backslashes
};

// Whether `text` begins with a word and "=".
bool looks_like_conninfo(std::string_view text);

// The grammar of libpq: single quotes, backslash before a quote or backslash, blanks around "=".
// Fails with bad_argument and the position, never the text: it holds the password.
Result<std::vector<ConninfoWord>> split_conninfo(std::string_view text);

// A value as one key word's value, quoted.
std::string conninfo_quoted(std::string_view value);

}  // namespace tide
