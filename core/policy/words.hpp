// Options as words: key=value key='quoted value', with blanks, commas or new lines between.
#pragma once

#include <string_view>
#include <vector>

#include "policy/given.hpp"

namespace tide {

// A value in single or double quotes may hold anything; in it a quote is written twice or behind a backslash, and a
// backslash behind a backslash. A value without quotes ends at a blank or comma. Blanks around "=" are allowed.
// Fails with bad_option and the position (in bytes, from 1). Stray text is never quoted: it may be a piece of a
// password.
Result<std::vector<GivenOption>> parse_words(std::string_view text);

}  // namespace tide
