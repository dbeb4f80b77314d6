// Words from configurations of other pools that are not options of this pool: switches of a whole section, parts of the
// database address, and words that need no counterpart. Other names of options are in the catalogue (old_names).
//
// A word is accepted only if the pool then behaves accordingly, or if ignoring it makes no difference to the program; the
// `settings` relation then shows it with the reason. Any other value is an error that names the alternative.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tide {

enum class WordKind : uint8_t {
  switch_,  // true: sets `option` to `when_on`, unless it is given too; false: sets it to `when_off` in any case
  ignored,  // shown with `note`
  target,   // a part of the database address: `option` is the keyword of libpq, or "sqlite"
};

struct OtherWord {
  std::string_view name;  // as returned by parse_json(): without the objects that only group
  WordKind kind;
  std::string_view option;
  std::optional<std::string_view> when_on;  // none: no action
  std::optional<std::string_view> when_off;
  bool accepts_false = true;  // of an ignored word; otherwise it can only be true
  std::string_view note;      // why it is ignored
  std::string_view way;       // what to do instead of false
  bool is_secret = false;     // its value is never shown
};

// nullptr if there is no such word. Case-sensitive.
const OtherWord* find_other_word(std::string_view name);

}  // namespace tide
