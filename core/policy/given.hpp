// Options as one source gave them, before anybody looked at what they mean.
#pragma once

#include <string>
#include <vector>

#include "policy/settings.hpp"

namespace tide {

struct GivenOption {
  std::string name;  // current or old
  std::string value;
  std::string where;  // for the error text where the name alone would not lead there: "environment variable ..."
};

struct ResolvedOption {
  const Setting* setting;
  std::string value;
  std::string name;  // as typed
  std::string where;
};

// Finds each option's setting. Fails with bad_option for an unknown name, and for a setting given twice in this source,
// be it once by its current and once by its old name.
Result<std::vector<ResolvedOption>> resolve_options(std::vector<GivenOption> given);

// assign_value() whose refusal also says where the value was given.
Status assign_resolved(Policy& policy, const ResolvedOption& option);

}  // namespace tide
