// Splitter: where the statements of a text end, from the tokens of an SqlScanner.
//
// A semicolon ends a statement, unless it is inside parentheses (CREATE RULE ... DO (a; b)), the body of a routine of
// PostgreSQL (BEGIN ATOMIC ... END), or a trigger of SQLite (BEGIN ... ; END).
// Threads: none of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/sql_scanner.hpp"

namespace tide {

class Splitter {
 public:
  explicit Splitter(Dialect dialect) : dialect_(dialect) {}

  // The next token of the text, except for the end. True: it is the semicolon that ends a statement; what follows is
  // another one.
  bool take(const SqlScanner::Token& token);
  // The tokens of the statement so far, of which the first five are kept; without its semicolon.
  size_t count() const { return count_; }
  bool is(size_t place, std::string_view word) const {
    return place < count_ && place < head_.size() && head_[place].is_word(word);
  }
  SqlScanner::Kind kind(size_t place) const { return head_[place].kind; }

 private:
  enum class Body : uint8_t { none, routine, trigger };
  Body body() const;

  Dialect dialect_;
  std::array<SqlScanner::Token, 5> head_;
  size_t count_ = 0;
  bool is_ended_ = false;
  int parentheses_ = 0;
  int blocks_ = 0;             // BEGIN ATOMIC ... END, and CASE ... END within
  int at_end_of_trigger_ = 0;  // 1: after a semicolon in it; 2: after END after that
};

}  // namespace tide
