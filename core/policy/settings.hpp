// The settings catalogue: name, unit, range, default, description and old names of every option, in one place.
//
// The parser, the settings relation, error messages and the reference documentation are derived from this table.
// An option is in the table only if it has an effect.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "model/words.hpp"
#include "policy/policy.hpp"

namespace tide {

enum class SettingKind : uint8_t { boolean, integer, ratio, duration, choice, text, bytes };
// When a change takes effect.
enum class Applies : uint8_t { now, new_connections, reopen };
// The source of a value, in the order of precedence, lowest first.
enum class SettingSource : uint8_t { default_, preset, environment, url, options, manual };
inline constexpr std::string_view kSettingSourceWords[] = {"default", "preset",  "environment",
                                                           "url",     "options", "manual"};
template <>
inline constexpr std::span<const std::string_view> kWords<SettingSource> = kSettingSourceWords;

struct Setting {
  std::string_view name;  // "max_size"
  SettingKind kind;
  std::string_view unit;          // "", "connections", "ms", "ratio", ...; as the settings relation shows it
  std::string_view default_text;  // as format_value() writes it
  std::string_view min_text;      // "": no bound
  std::string_view max_text;
  Applies applies;
  std::span<const std::string_view> choices;    // of a choice
  std::span<const std::string_view> old_names;  // of the requirement documents; numbers without a unit are ms
  std::string_view description;                 // help text: a sentence or two
};

// In the order in which it is shown. Valid until the process ends.
std::span<const Setting> settings_catalogue();
// The index in the catalogue, for lists parallel to it. `setting` must be an element of the catalogue, not a copy.
size_t place_of(const Setting& setting);
// nullptr if unknown. Accepts current and old names; case-sensitive.
const Setting* find_setting(std::string_view name_or_old_name);
// The error for an unknown option, with the most similar name (and its old name) as a hint.
Status unknown_option(std::string_view typed);

// The current value of `setting` in `policy`, in the format of options ("30s", "on", "0.8").
std::string format_value(const Policy& policy, const Setting& setting);
// Parses `text`, checks its range, and sets the value in `policy`. On failure `policy` is unchanged, and the Status contains
// the option, the value, what is accepted, and a hint. Contradictions between options: see check_policy().
Status assign_value(Policy& policy, const Setting& setting, std::string_view text);
// Whether the option accepts several values, separated by commas.
bool takes_list(const Setting& setting);
// "on", "true", "yes", "1" and "off", "false", "no", "0", in upper or lower case.
std::optional<bool> parse_boolean(std::string_view text);
// Applies the command `set` to the policy of a pool with `capacity` slots, without checking the other options and the state
// of the pool. The sender of the command calls it to report errors at once, and the pool calls it again, with the same
// result. On success the setting is returned; on failure `policy` is unchanged.
Result<const Setting*> set_option(Policy& policy, std::string_view name, std::string_view text, int64_t capacity);
// The first contradiction between options ("min_size 8 is above max_size 4" ...).
Status check_policy(const Policy& policy);
// All contradictions.
std::vector<Status> contradictions(const Policy& policy);
// Why the option currently has no effect ("no effect while sizing is adaptive"); "" if it has one.
// `backend` is a word of the relation pools: "postgresql", "sqlite", "custom".
std::string why_without_effect(const Policy& policy, std::string_view backend, const Setting& setting);

// A note on the options of a pool: why an option has its value (`name`: the option, `value`: the reason), or an accepted
// word of other pools (its name and value).
struct SettingNote {
  std::string name;
  std::string value;
};
// Why the word is ignored; "" for an unknown word.
std::string_view note_of_word(std::string_view name);

std::string_view applies_name(Applies applies);  // "now", "new_connections", "reopen"

}  // namespace tide
