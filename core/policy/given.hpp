// Options as one source gave them, and what they mean.
#pragma once

#include <string>
#include <vector>

#include "policy/settings.hpp"

namespace tide {

struct GivenOption {
  std::string name;  // current, old, or another pool's word
  std::string value;
  std::string where;     // for the error text where the name alone would not lead there: "environment variable ..."
  bool is_list = false;  // several values, here separated by commas
};

struct ResolvedOption {
  const Setting* setting;
  std::string value;
  std::string name;  // as typed
  std::string where;
};

// A part of the database's address that was given as an option.
struct TargetPart {
  std::string_view key_word;  // libpq's, or "sqlite"
  std::string value;
  std::string name;  // as typed
};

// What one source gave, understood.
struct Resolution {
  std::vector<ResolvedOption> options;  // each setting at most once
  std::vector<SettingNote> notes;
  std::vector<TargetPart> target;
};

// Finds each option's setting. Each unknown name, each setting with two values (be it by its current and by its old
// name) and each switch that is no boolean is one refusal (bad_option) behind `refusals`; the rest is resolved all the
// same. The same value twice is one.
Resolution resolve_options(std::vector<GivenOption> given, std::vector<Status>& refusals);

// assign_value() whose refusal also says where the value was given.
Status assign_resolved(Policy& policy, const ResolvedOption& option);

}  // namespace tide
