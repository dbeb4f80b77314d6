// Splitting a URL into its parts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/given.hpp"

namespace tide {

// "postgresql" of "postgresql://..."; "" if the text does not begin with a scheme and a colon.
std::string_view scheme_of(std::string_view url);

struct QueryParameter {
  std::string_view raw;  // "name=value" as given
  std::string name;      // decoded
  std::string value;
};

struct SplitQuery {
  std::vector<GivenOption> options;    // from "tidepool.<name>=", without the prefix
  std::vector<QueryParameter> others;  // for the driver, in order
  std::string rest() const;            // the others, raw, after a "?"; "" if there are none
};

// `query` is what follows "?". Fails with bad_argument; a malformed parameter is identified by its number only.
Result<SplitQuery> split_query(std::string_view query);

// Whether a parameter or keyword is an option without its prefix, and not also a keyword of libpq.
bool lacks_prefix(std::string_view name);
Status missing_prefix(std::string_view name);

inline constexpr std::string_view kOptionPrefix = "tidepool.";

}  // namespace tide
