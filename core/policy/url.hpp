// The pieces of a URL, cut but not yet understood.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/given.hpp"

namespace tide {

// "postgresql" of "postgresql://..."; "" where the text does not begin with a scheme and a colon.
std::string_view scheme_of(std::string_view url);

struct QueryParameter {
  std::string_view raw;  // "name=value" as typed
  std::string name;      // decoded
  std::string value;
};

struct SplitQuery {
  std::vector<GivenOption> options;    // from "tidepool.<name>=", without the prefix
  std::vector<QueryParameter> others;  // the driver's, in order
  std::string rest() const;            // the others, raw, with "?" before them; "" where there are none
};

// `query` is what stands behind "?". Fails with bad_argument, naming a malformed parameter by its number only.
Result<SplitQuery> split_query(std::string_view query);

// Whether a parameter or key word is an option whose prefix was forgotten, and not also a key word of libpq.
bool lacks_prefix(std::string_view name);
Status missing_prefix(std::string_view name);

inline constexpr std::string_view kOptionPrefix = "tidepool.";

}  // namespace tide
