// Operands: where an operand may stand in a text for PostgreSQL, which decides whether ? is a parameter or an operator.
//
// An operand may stand at the beginning, after an operator, a comma, an opening parenthesis or bracket, and after a keyword
// that an expression can follow. After a name, a literal, a closing parenthesis or bracket, or a parameter there can only be
// an operator.
// Threads: none of its own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/sql_scanner.hpp"

namespace tide {

// Of PostgreSQL, see CREATE OPERATOR.
bool is_operator_character(char c);
// The end of the run of such characters that starts at `begin`; the start of a comment ends it.
size_t end_of_operators(std::string_view sql, size_t begin);
// The length of the longest known operator with ? at the beginning of such a run, or 0. Those of PostgreSQL (jsonb,
// geometry), hstore and ltree.
size_t known_operator(std::string_view run);

class Operands {
 public:
  // Whether an operand may stand next.
  bool is_expected() const { return is_expected_; }
  // Directly within the brackets of a[1:2], where a colon separates the bounds.
  bool is_in_subscript() const { return !open_.empty() && open_.back() == 's'; }
  // Within OPERATOR(pg_catalog.?).
  bool is_in_operator_clause() const { return !open_.empty() && open_.back() == 'o'; }

  // The next token, unless it is one of the following.
  void take(const SqlScanner::Token& token);
  // Characters of an operator; `first`: the first one.
  void take_operator(std::string_view first);
  void take_operand();                     // a parameter that is no token of PostgreSQL
  void take_colons(bool expects_operand);  // ::, := or a colon

 private:
  bool is_followed_by_operand(std::string_view word) const;
  void note(std::string_view text, bool is_word, bool expects_operand);

  bool is_expected_ = true;
  std::string_view last_;  // the token before, if it is a word or a symbol
  bool is_word_last_ = false;
  std::string open_;  // for each open parenthesis or bracket what it is: '(', 's'ubscript, 'a'rray, 'o'perator
};

}  // namespace tide
