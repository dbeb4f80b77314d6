// SqlScanner: splits an SQL text into tokens, without comments and the contents of literals.
//
// It follows the lexer of PostgreSQL, which is valid for SQLite too, except for nested comments: `--` up to the end of
// the line, block comments (nested if the database nests them), '...' with doubled quotes, E'...' with backslashes,
// $tag$...$tag$, "...". It has no grammar.
// An unterminated literal or comment extends to the end: the database rejects such a text.
// is_unclear(): whether a backslash before a quote escapes it depends on a setting of the session
// (standard_conforming_strings), so that a literal may end elsewhere.
// Threads: none of its own. The text must remain valid as long as its tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tide {

class SqlScanner {
 public:
  enum class Kind : uint8_t {
    end,
    word,     // a name or a keyword
    name,     // "...": the text without the quotes
    literal,  // of any kind, also numbers and $1
    symbol,   // one character
  };
  struct Token {
    Kind kind = Kind::end;
    std::string_view text;
    bool is_symbol(char c) const { return kind == Kind::symbol && text.front() == c; }
    // Whether it is this word, given in lower case.
    bool is_word(std::string_view lower) const;
  };

  explicit SqlScanner(std::string_view sql, bool nests_comments = true) : sql_(sql), nests_comments_(nests_comments) {}
  Token next();
  bool is_unclear() const { return is_unclear_; }
  size_t position() const { return at_; }  // after the last token

 private:
  void skip_blank();
  void skip_comment();
  void skip_string(bool has_backslashes);
  void skip_dollars();
  char at(size_t i) const { return i < sql_.size() ? sql_[i] : '\0'; }

  std::string_view sql_;
  size_t at_ = 0;
  bool nests_comments_;
  bool is_unclear_ = false;
};

// Whether two texts are equal, ignoring the case of ASCII letters; `lower` is in lower case.
bool is_same_word(std::string_view text, std::string_view lower) noexcept;

}  // namespace tide
