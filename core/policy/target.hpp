// From a URL to a Target and the options it carries.
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

// `url` is not empty. Fails with bad_argument. No error quotes the URL or its values, at most a scheme, a parameter's
// name or a position: what is broken may be the very place of the password.
Result<ParsedTarget> parse_target(std::string_view url, std::span<const std::string> custom_schemes);

// `text` is what stands behind "sqlite:", or a bare path with its query. Only in the first is the path percent-encoded.
Result<ParsedTarget> parse_sqlite_url(std::string_view text);
Result<ParsedTarget> parse_sqlite_path(std::string_view text);
// A whole "postgresql://..." or "postgres://...".
Result<ParsedTarget> parse_postgresql_url(std::string_view url);
// libpq key words.
Result<ParsedTarget> parse_postgresql_words(std::string_view text);

}  // namespace tide
