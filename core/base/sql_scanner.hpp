// SqlScanner: splits an SQL text into tokens, without comments and the contents of literals.
//
// It follows the lexer of the database, and has no grammar.
//  both        -- up to the end of the line, block comments, '...' with doubled quotes, "..."
//  PostgreSQL  nested comments, E'...' with backslashes, $tag$...$tag$, $1
//  SQLite      [...] and `...` as names; ?, ?1, :name, @name, #name and $name as parameters
// An unterminated literal or comment extends to the end: the database rejects such a text.
// is_unclear(): whether a backslash before a quote escapes it depends on a setting of the session
// (standard_conforming_strings), so that a literal may end elsewhere.
// Threads: none of its own. The text must remain valid as long as its tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tide {

enum class Dialect : uint8_t { postgresql, sqlite };

class SqlScanner {
 public:
  enum class Kind : uint8_t {
    end,
    word,       // a name or a keyword
    name,       // in quotes: the text without them
    literal,    // of any kind, also numbers
    parameter,  // $1; SQLite also ?, ?1, :name, @name, $name
    symbol,     // one character
  };
  struct Token {
    Kind kind = Kind::end;
    std::string_view text;
    bool is_symbol(char c) const { return kind == Kind::symbol && text.front() == c; }
    // Whether it is this word, given in lower case.
    bool is_word(std::string_view lower) const;
  };

  explicit SqlScanner(std::string_view sql, Dialect dialect = Dialect::postgresql) : sql_(sql), dialect_(dialect) {}
  Token next();
  bool is_unclear() const { return is_unclear_; }
  size_t start() const { return start_; }  // of the last token, with its quotes
  size_t position() const { return at_; }  // after the last token
  // Continues at a byte after the last token.
  void seek(size_t position) { at_ = position; }

 private:
  void skip_blank();
  void skip_comment();
  void skip_string(bool has_backslashes);
  Token quoted_name(char quote);
  Kind skip_dollars();
  bool skip_variable();
  bool is_sqlite() const { return dialect_ == Dialect::sqlite; }
  char at(size_t i) const { return i < sql_.size() ? sql_[i] : '\0'; }

  std::string_view sql_;
  size_t start_ = 0;
  size_t at_ = 0;
  Dialect dialect_;
  bool is_unclear_ = false;
};

// Whether two texts are equal, ignoring the case of ASCII letters; `lower` is in lower case.
bool is_same_word(std::string_view text, std::string_view lower) noexcept;

}  // namespace tide
