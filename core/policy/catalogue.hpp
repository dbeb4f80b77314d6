// The rows behind settings_catalogue(): each connects the name of an option with its member of Policy.
//
// Rows are private to this room; others use Setting. An option is defined once, in catalogue.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/settings.hpp"

namespace tide {

// A member with an enum as its value. The names are in the order of the enum.
struct ChoiceMember {
  std::span<const std::string_view> names;
  size_t (*get)(const Policy&);
  void (*set)(Policy&, size_t);
};

enum class TextRule : uint8_t { any, absolute_path, recovery_list, log_destination, targets, http_url, secret };

struct TextMember {
  std::string Policy::*text;
  TextRule rule;
};

// A number of bytes, written with a unit.
struct BytesMember {
  int64_t Policy::*bytes;
};

// The alternatives are in the order of SettingKind, so that the kind of a row follows from its member.
using Member = std::variant<bool Policy::*, int64_t Policy::*, double Policy::*, Span Policy::*, ChoiceMember,
                            TextMember, BytesMember>;

// A condition for an option to have an effect: `option` has (or, if `is_not`, does not have) the value `value`.
struct Need {
  std::string_view option;
  std::string_view value;
  bool is_not = false;
};

struct CatalogueRow {
  std::string_view name;
  Member member;
  std::string_view unit;
  std::string_view min_text;
  std::string_view max_text;
  Applies applies;
  std::vector<std::string_view> old_names;
  std::string_view description;
  std::vector<Need> needs = {};  // all of them
};

// In the order in which they are shown. Valid until the process ends.
std::span<const CatalogueRow> catalogue_rows();
// Whether the setting has an effect only if `option` has the value `value`.
bool needs(const Setting& setting, std::string_view option, std::string_view value);
// Settings are in the order of the rows, see place_of().
const CatalogueRow& row_of(const Setting& setting);
const Member& member_of(const Setting& setting);
std::string format_member(const Policy& policy, const Member& member);

}  // namespace tide
