#include "base/sql_scanner.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace tide {
namespace {

char lower_of(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_start(char c) {
  const char l = lower_of(c);
  return (l >= 'a' && l <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_part(char c) { return is_start(c) || is_digit(c); }

}  // namespace

bool is_same_word(std::string_view text, std::string_view lower) noexcept {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) { return lower_of(a) == b; });
}

bool SqlScanner::Token::is_word(std::string_view lower) const {
  return kind == Kind::word && is_same_word(text, lower);
}

SqlScanner::Token SqlScanner::next() {
  skip_blank();
  const size_t from = start_ = at_;
  const char c = at(from);
  if (from >= sql_.size()) return {};
  const auto token = [&](Kind kind) { return Token{kind, sql_.substr(from, at_ - from)}; };
  if (is_start(c)) {
    while (is_part(at(at_)) || at(at_) == '$') ++at_;
    if (at(at_) != '\'' || at_ - from > 1 || (is_sqlite() && lower_of(c) != 'x')) return token(Kind::word);
    // E'...', B'...', X'...', N'...': a word of one letter directly before a quote belongs to the literal.
    ++at_;
    skip_string(lower_of(c) == 'e');
    return token(Kind::literal);
  }
  if (c == '\'') {
    ++at_;
    skip_string(false);
    return token(Kind::literal);
  }
  if (c == '"' || (is_sqlite() && c == '`')) return quoted_name(c);
  if (is_sqlite() && c == '[') return quoted_name(']');
  if (is_digit(c) || (c == '.' && is_digit(at(from + 1)))) {
    const auto continues = [this](size_t i) {
      return is_part(at(i)) || (at(i) == '.' && is_digit(at(i + 1))) || (is_sqlite() && at(i) == '$');
    };
    while (continues(at_)) ++at_;
    return token(Kind::literal);
  }
  if (is_sqlite()) {
    if (skip_variable()) return token(Kind::parameter);
  } else if (c == '$') {
    const Kind kind = skip_dollars();
    if (at_ > from) return token(kind);
  }
  ++at_;
  return token(Kind::symbol);
}

void SqlScanner::skip_blank() {
  for (;;) {
    while (is_blank(at(at_))) ++at_;
    if (at(at_) == '-' && at(at_ + 1) == '-') {
      while (at_ < sql_.size() && sql_[at_] != '\n' && (is_sqlite() || sql_[at_] != '\r')) ++at_;
    } else if (at(at_) == '/' && at(at_ + 1) == '*') {
      skip_comment();
    } else if (is_sqlite() && sql_.substr(at_).starts_with("\xef\xbb\xbf")) {  // a byte order mark is a blank
      at_ += 3;
    } else {
      return;
    }
  }
}

void SqlScanner::skip_comment() {
  int depth = 0;
  while (at_ < sql_.size()) {
    const char c = sql_[at_], after = at(at_ + 1);
    if (c == '/' && after == '*' && (!is_sqlite() || depth == 0)) {
      ++depth;
      at_ += 2;
    } else if (c == '*' && after == '/') {
      at_ += 2;
      if (--depth == 0) return;
    } else {
      ++at_;
    }
  }
}

void SqlScanner::skip_string(bool has_backslashes) {
  for (; at_ < sql_.size(); ++at_) {
    const char c = sql_[at_];
    if (c == '\\') {
      if (has_backslashes) {
        ++at_;
      } else {
        is_unclear_ = is_unclear_ || (!is_sqlite() && at(at_ + 1) == '\'');
      }
    } else if (c == '\'') {
      if (at(at_ + 1) != '\'') {
        ++at_;
        return;
      }
      ++at_;
    }
  }
  at_ = sql_.size();
}

// A doubled closing quote stands for itself, except for "]".
SqlScanner::Token SqlScanner::quoted_name(char quote) {
  const size_t inside = ++at_;
  for (; at_ < sql_.size(); ++at_) {
    if (sql_[at_] != quote) continue;
    if (quote == ']' || at(at_ + 1) != quote) break;
    ++at_;
  }
  const size_t end = at_;
  at_ = std::min(at_ + 1, sql_.size());
  return {Kind::name, sql_.substr(inside, end - inside)};
}

// $1, or $tag$ ... $tag$; a lone dollar sign is not consumed.
SqlScanner::Kind SqlScanner::skip_dollars() {
  size_t end = at_ + 1;
  if (is_digit(at(end))) {
    while (is_digit(at(end))) ++end;
    at_ = end;
    return Kind::parameter;
  }
  while (is_part(at(end))) ++end;
  if (at(end) != '$') return Kind::symbol;
  const std::string_view tag = sql_.substr(at_, end + 1 - at_);
  const size_t close = sql_.find(tag, end + 1);
  at_ = close == sql_.npos ? sql_.size() : close + tag.size();
  return Kind::literal;
}

// A parameter of SQLite; another character is not consumed. Its names are those of variables of Tcl: $a::b, $a(key).
bool SqlScanner::skip_variable() {
  size_t end = at_ + 1;
  if (at(at_) == '?') {
    while (is_digit(at(end))) ++end;
    at_ = end;
    return true;
  }
  if (std::string_view("$:@#").find(at(at_)) == std::string_view::npos) return false;
  size_t named = 0;
  for (;; ++end) {
    if (is_part(at(end)) || at(end) == '$') {
      ++named;
    } else if (at(end) == ':' && at(end + 1) == ':') {
      ++end;
    } else {
      break;
    }
  }
  if (named == 0) return false;
  if (at(end) == '(') {
    while (end < sql_.size() && !is_blank(at(end)) && at(end) != ')') ++end;
    if (at(end) == ')') ++end;
  }
  at_ = end;
  return true;
}

}  // namespace tide
