// Words of other pools' configurations that are no option of this pool: switches of a whole section, parts of the
// database's address, and what needs no counterpart here. Other names of options stand in the catalogue (old_names).
//
// A word is accepted only if the pool then behaves as it asks, or if ignoring it changes nothing for the program; then
// the `settings` relation shows it with the reason. Any other value is refused and the way named.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tide {

enum class WordKind : uint8_t {
  switch_,  // true: `when_on` for `option`, unless a value is given beside it; false: `when_off`, whatever is given
  ignored,  // shown with `note`
  target,   // a part of the database's address: `option` is libpq's key word, or "sqlite"
};

struct OtherWord {
  std::string_view name;  // as parse_json() gives it: without the objects that only group
  WordKind kind;
  std::string_view option;
  std::optional<std::string_view> when_on;  // none: nothing is to be done
  std::optional<std::string_view> when_off;
  bool accepts_false = true;  // of an ignored word; if not, it is a switch that can only be on
  std::string_view note;      // why ignoring it changes nothing
  std::string_view way;       // what to do instead of false
  bool is_secret = false;     // its value is shown nowhere
};

// nullptr when there is none of this name. Case-sensitive.
const OtherWord* find_other_word(std::string_view name);

}  // namespace tide
