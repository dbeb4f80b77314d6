// Options as one source specified them, and their resolution to settings.
#pragma once

#include <string>
#include <vector>

#include "policy/settings.hpp"

namespace tide {

struct GivenOption {
  std::string name;  // current or old name, or a word of other pools
  std::string value;
  std::string where;     // for error messages, if the name is not enough: "environment variable ..."
  bool is_list = false;  // several values, separated by commas here
};

struct ResolvedOption {
  const Setting* setting;
  std::string value;
  std::string name;  // as given
  std::string where;
};

// A part of the database address that was specified as an option.
struct TargetPart {
  std::string_view key_word;  // keyword of libpq, or "sqlite"
  std::string value;
  std::string name;  // as given
};

// The resolved options of one source.
struct Resolution {
  std::vector<ResolvedOption> options;  // each setting at most once
  std::vector<SettingNote> notes;
  std::vector<TargetPart> target;
};

// Finds the setting of each option. Each unknown name, each setting with two different values (also by its current and its
// old name) and each switch that is not a boolean appends an error (bad_option) to `refusals`; the others are resolved
// nevertheless.
Resolution resolve_options(std::vector<GivenOption> given, std::vector<Status>& refusals);

// assign_value(), with an error that also says where the value was given.
Status assign_resolved(Policy& policy, const ResolvedOption& option);

}  // namespace tide
