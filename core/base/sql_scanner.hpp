// SqlScanner: the words of an SQL text, with comments and the insides of literals out of the way.
//
// It knows how PostgreSQL's lexer separates them, which holds for SQLite as well, apart from nested comments: `--` up
// to the end of the line, block comments (nested where the database nests them), '...' with doubled quotes, E'...' with
// backslashes, $tag$...$tag$, "...". It knows no grammar.
// What ends within a literal or a comment is read up to the end: the database refuses such a text as a whole.
// is_unclear(): whether a backslash before a quote escapes it depends on a setting of the session
// (standard_conforming_strings), so what was read as a literal may be something else.
// Threads: none of its own. The text must live as long as its tokens.
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
    name,     // "...": its text is without the quotes around it
    literal,  // of any kind, numbers and $1 too
    symbol,   // one character
  };
  struct Token {
    Kind kind = Kind::end;
    std::string_view text;
    bool is_symbol(char c) const { return kind == Kind::symbol && text.front() == c; }
    // Whether it is this word, which is given in lower case.
    bool is_word(std::string_view lower) const;
  };

  explicit SqlScanner(std::string_view sql, bool nests_comments = true) : sql_(sql), nests_comments_(nests_comments) {}
  Token next();
  bool is_unclear() const { return is_unclear_; }
  size_t position() const { return at_; }  // behind the last token

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

// Whether two texts are the same but for the case of ASCII letters; `lower` has none in upper case.
bool is_same_word(std::string_view text, std::string_view lower) noexcept;

}  // namespace tide
