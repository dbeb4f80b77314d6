#include "policy/conninfo.hpp"

#include "base/text.hpp"

namespace tide {
namespace {

bool is_key_char(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.'; }

size_t skip_blanks(std::string_view text, size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

size_t skip_key(std::string_view text, size_t at) {
  while (at < text.size() && is_key_char(text[at])) ++at;
  return at;
}

Status broken(const std::string& what, size_t at) {
  return Status::error(
      Code::bad_argument, "invalid connection string: " + what + " at position " + std::to_string(at + 1),
      "A connection string has the form \"key=value key=value\", as in libpq.",
      "Enclose a value with blanks in single quotes, and write a backslash before a quote or backslash in it.");
}

}  // namespace

bool looks_like_conninfo(std::string_view text) {
  const size_t begin = skip_blanks(text, 0);
  const size_t end = skip_key(text, begin);
  const size_t equals = skip_blanks(text, end);
  return end > begin && equals < text.size() && text[equals] == '=';
}

Result<std::vector<ConninfoWord>> split_conninfo(std::string_view text) {
  std::vector<ConninfoWord> words;
  for (size_t at = skip_blanks(text, 0); at < text.size(); at = skip_blanks(text, at)) {
    const size_t begin = at;
    at = skip_key(text, at);
    if (at == begin) return broken("expected a keyword", begin);
    ConninfoWord word{{}, std::string(text.substr(begin, at - begin)), {}};
    at = skip_blanks(text, at);
    if (at == text.size() || text[at] != '=') return broken("expected \"=\" after the word", begin);
    at = skip_blanks(text, at + 1);
    const size_t value = at;
    const bool is_quoted = at < text.size() && text[at] == '\'';
    if (is_quoted) ++at;
    for (; at < text.size() && (is_quoted ? text[at] != '\'' : !is_blank(text[at])); ++at) {
      if (text[at] == '\\' && ++at == text.size()) break;
      word.value.push_back(text[at]);
    }
    if (is_quoted) {
      if (at >= text.size()) return broken("a quoted value is not terminated", value);
      ++at;
    }
    at = std::min(at, text.size());
    word.raw = text.substr(begin, at - begin);
    words.push_back(std::move(word));
  }
  return words;
}

std::string conninfo_quoted(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "'";
}

}  // namespace tide
