// Placeholders: one style of parameters for every database.
//
// `numbered` accepts $1, ?1, and ? in the order of the text (? and the numbered forms not in one text); `named` accepts
// :name. Neither is seen inside literals of any kind (E'', $$ $$ ...), quoted names, comments and operators. The README of
// this room says where ? is an operator of PostgreSQL, and where a colon is not that of a name.
// Threads: any. Failure: a Status that names what was found and what is accepted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sql_scanner.hpp"
#include "base/status.hpp"

namespace tide {

// How parameters are written in a text.
enum class Placeholders : uint8_t {
  numbered,  // $1, ?1, or ? in the order of the text
  named,     // :name, in the order of the given names
  native,    // as the database has them: the text is not translated
};

struct StatementText {
  std::string sql;           // what is sent: parameters are $1 (PostgreSQL) or ?1 (SQLite)
  int parameters = 0;        // the highest number of a parameter; native: -1, not counted
  bool has_several = false;  // several statements
  // Places where the lengths of given text and `sql` differ, in ascending order: (byte in `sql`, byte in the given text).
  std::vector<std::pair<uint32_t, uint32_t>> shifts;

  // The character of the given text, from 1, for a character of `sql` that an error of the database names.
  int32_t position_in(std::string_view given, int32_t position) const;
};

// Translates a text. `names`: of the parameters, for `named`.
Result<StatementText> translate(std::string_view given, Dialect dialect, Placeholders style,
                                std::span<const std::string_view> names = {});

// The text without comments and outer blanks, so that a comment with a trace id does not make another statement of it.
// Comments that start with /*+ (hints for the planner) remain.
std::string statement_key(std::string_view sql, Dialect dialect);

// The character of `to`, from 1, for one of `from`: two texts with the same key.
int32_t same_position(std::string_view from, std::string_view to, int32_t position, Dialect dialect);

}  // namespace tide
