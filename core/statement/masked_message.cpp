#include "statement/masked_message.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace tide {
namespace {

constexpr std::string_view kRaised = "P0001";
constexpr std::string_view kKinds[] = {"column", "constraint", "database", "extension", "function", "index", "relation",
                                       "role",   "schema",     "sequence", "table",     "trigger",  "type",  "view"};
constexpr size_t kKeptNameBytesMax = 128;

bool is_name_byte(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '$'; }
bool is_value_byte(char c) {
  return is_name_byte(c) || static_cast<unsigned char>(c) >= 0x80 || c == '@' || c == '+' || c == '-' || c == ':' ||
         c == '/' || c == '%';
}

bool looks_like_name(std::string_view text) {
  return !text.empty() && text.size() <= kKeptNameBytesMax && std::all_of(text.begin(), text.end(), is_name_byte);
}

// Whether the text ends with the kind of an object, as a word, and a blank.
bool ends_with_kind(std::string_view text) {
  if (!text.ends_with(' ')) return false;
  text.remove_suffix(1);
  const std::string_view word = text.substr(text.find_last_of(' ') + 1);  // npos + 1 is 0
  return std::find(std::begin(kKinds), std::end(kKinds), word) != std::end(kKinds);
}

// An apostrophe inside a word is none.
bool is_quote(std::string_view text, size_t at) {
  if (text[at] == '"' || text[at] == '`') return true;
  if (text[at] != '\'') return false;
  return at == 0 || at + 1 == text.size() || !is_letter(text[at - 1]) || !is_letter(text[at + 1]);
}

// Words with a digit or an "@" become "?".
void add_without_numbers(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && is_value_byte(text[end])) ++end;
    const std::string_view word = text.substr(i, end - i);
    const bool is_value = std::any_of(word.begin(), word.end(), [](char c) { return is_digit(c) || c == '@'; });
    if (is_value)
      out += '?';
    else
      out += word;
    if (end < text.size()) out += text[end++];
    i = end;
  }
}

}  // namespace

std::string masked_message(std::string_view message, std::string_view sqlstate) {
  if (sqlstate == kRaised) return "raised by a function";
  std::string out;
  size_t done = 0;
  for (size_t at = 0; at < message.size(); ++at) {
    if (!is_quote(message, at)) continue;
    const size_t close = message.find('"', at + 1);
    const bool is_kept = message[at] == '"' && close != message.npos && ends_with_kind(message.substr(0, at)) &&
                         looks_like_name(message.substr(at + 1, close - at - 1));
    add_without_numbers(message.substr(done, at - done), out);
    if (is_kept) {
      out += message.substr(at, close + 1 - at);
      done = close + 1;
      at = close;
      continue;
    }
    size_t last = message.size() - 1;
    while (!is_quote(message, last)) --last;
    out += '?';
    done = last == at ? message.size() : last + 1;  // one that is not closed
    break;
  }
  add_without_numbers(message.substr(done), out);
  return clean_text(out);
}

}  // namespace tide
