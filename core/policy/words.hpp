// Options as words: key=value key='quoted value', separated by blanks, commas or line breaks.
#pragma once

#include <string_view>
#include <vector>

#include "policy/given.hpp"

namespace tide {

// A value in single or double quotes may contain any text; a quote in it is doubled or preceded by a backslash, a backslash
// is preceded by a backslash. A value without quotes ends at a blank or comma. Blanks around "=" are allowed.
// Fails with bad_option and the position (in bytes, from 1). The text is not quoted, because it may be part of a password.
Result<std::vector<GivenOption>> parse_words(std::string_view text);

}  // namespace tide
