// The settings catalogue: every option's name, unit, range, default, help, old names and environment variable, once.
//
// Everything that speaks of options reads this table: the parser, the settings relation, error texts, the README.
// An option is in the table only when something obeys it.
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
// When a changed value takes effect.
enum class Applies : uint8_t { now, new_connections, reopen };
// Where a value came from. The order is the order of precedence, weakest first.
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
  std::string_view min_text;      // "" where there is no bound to show
  std::string_view max_text;
  Applies applies;
  std::span<const std::string_view> choices;    // of a choice
  std::span<const std::string_view> old_names;  // of the requirement documents; their bare numbers are ms
  std::string_view description;                 // one sentence with the default's meaning, for people
};

// In the order people read it. Lives for ever.
std::span<const Setting> settings_catalogue();
// Its place there, as in lists parallel to the catalogue. `setting` must be of the catalogue, no copy of one.
size_t place_of(const Setting& setting);
// nullptr when unknown. Takes current and old names; case-sensitive.
const Setting* find_setting(std::string_view name_or_old_name);
// "unknown option "max_conections"", with the nearest known name (and its old name) as hint.
Status unknown_option(std::string_view typed);

// The current value of `setting` in `policy`, as text parse would accept back ("30s", "on", "0.8").
std::string format_value(const Policy& policy, const Setting& setting);
// Parses and range-checks `text` into `policy`; on failure `policy` is untouched and the Status names option, value,
// what is accepted, and a hint. Does not look at contradictions between options: see check_policy().
Status assign_value(Policy& policy, const Setting& setting, std::string_view text);
// Whether it takes several values, separated by commas.
bool takes_list(const Setting& setting);
// "on", "true", "yes", "1" and their opposites, in any case; nothing else.
std::optional<bool> parse_boolean(std::string_view text);
// What a `set` command asks of a pool that has room for `capacity` connections, as far as that depends neither on its other
// options nor on its state: run by the command's sender, to tell a mistake at once, and by the pool, with the same answer.
// On success `policy` has the value, and the setting is returned; on failure `policy` is untouched.
Result<const Setting*> set_option(Policy& policy, std::string_view name, std::string_view text, int64_t capacity);
// Contradictions between options, first one found ("min_size 8 is above max_size 4" ...).
Status check_policy(const Policy& policy);
// The same, all of them.
std::vector<Status> contradictions(const Policy& policy);
// Why the option does nothing as things are ("no effect while sizing is adaptive"), "" where it has its effect.
// `backend` is a word of the relation pools: "postgresql", "sqlite", "custom".
std::string why_without_effect(const Policy& policy, std::string_view backend, const Setting& setting);

// Something to say about a pool's options: why an option has its value (`name` is that option, `value` the reason), or
// another pool's word that was accepted though it is no option here (its name and value).
struct SettingNote {
  std::string name;
  std::string value;
};
// Why it changes nothing; "" for a word that is not known.
std::string_view note_of_word(std::string_view name);

std::string_view applies_name(Applies applies);  // "now", "new_connections", "reopen"

}  // namespace tide
