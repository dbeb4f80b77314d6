// Parses a URL into a Target and the options in it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/given.hpp"
#include "policy/parse.hpp"

namespace tide {

inline constexpr size_t kUrlBytesMax = 8192;

struct ParsedTarget {
  Target target;
  std::vector<GivenOption> options;
};

// `url` is not empty. Fails with bad_argument. Errors do not quote the URL or its values, only a scheme, the name of a
// parameter or a position, because the malformed part may contain the password.
Result<ParsedTarget> parse_target(std::string_view url, std::span<const std::string> custom_schemes);

// `text` is what follows "sqlite:", or a path with its query. Only the former is percent-encoded.
Result<ParsedTarget> parse_sqlite_url(std::string_view text);
Result<ParsedTarget> parse_sqlite_path(std::string_view text);
// A whole "postgresql://..." or "postgres://...".
Result<ParsedTarget> parse_postgresql_url(std::string_view url);
// libpq keywords.
Result<ParsedTarget> parse_postgresql_words(std::string_view text);

}  // namespace tide
