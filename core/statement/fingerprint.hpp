// Fingerprint: which statements are the same but for their values, and how such a statement is shown without them.
//
// The normal form has no comments, one blank where there were blanks, words in lower case, and `?` for every literal and
// parameter. Equal neighbours in a list with values are written once, so that IN (1, 2) and IN ($1) are the same, and
// VALUES with any number of rows. The README of this room lists the rules.
//
// A normal form contains no literal. Where it is in doubt what is a literal (a quote that is not closed, a quote beside a
// letter, a backslash whose meaning is a setting of the session, a NUL byte), only the verb of the statement is shown.
// Threads: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/sql_scanner.hpp"

namespace tide {

struct NormalForm {
  std::string text;          // valid UTF-8 without control characters
  uint64_t fingerprint = 0;  // of `text`, the same everywhere; never 0
};

// Longer texts are read up to here.
inline constexpr size_t kNormalizedBytesMax = size_t{32} << 10;

// `may_be_string`: the database takes "..." as a string where it names no column (SQLite). Such texts are shown only where
// a name has to stand.
NormalForm normal_form(std::string_view sql, Dialect dialect, bool may_be_string);

// A number for the part of a text that normal_form() reads. Not for texts that somebody may choose in order to collide.
uint64_t hash_of_text(std::string_view text) noexcept;

}  // namespace tide
