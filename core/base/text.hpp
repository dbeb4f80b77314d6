// User text on its way into an error text, a record or the policy: the one place that quotes and masks it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fixed_text.hpp"

namespace tide {

// The length of the well-formed UTF-8 character at the front of `text`, 0 if there is none.
size_t utf8_length(std::string_view text);

// Well-formed UTF-8 without NUL. What fails this could not be shown by any database.
bool is_plain_utf8(std::string_view text);

// Of no longer a text than it was: what is broken UTF-8 or a control character becomes "?".
std::string clean_text(std::string_view text, std::string_view kept_controls = "\n\t");
template <size_t N>
std::string clean_text(const FixedText<N>& text) {
  return clean_text(text.view());
}

// As a string of JSON, in its quotes; broken UTF-8 becomes U+FFFD.
std::string json_text(std::string_view text);

// As a name ("...") or a literal ('...') of SQL: quotes in it are doubled.
std::string sql_quoted(std::string_view text, char quote, std::string_view also_doubled = "");

// `text` in double quotes for an error text: passwords masked, control characters and broken UTF-8 as "?", and at most
// kQuotedBytesMax bytes of it, "..." behind what was cut.
inline constexpr size_t kQuotedBytesMax = 80;
std::string in_quotes(std::string_view text);
// The same without the quotes, for what has some already.
std::string shown_text(std::string_view text);

// The same text with every password replaced by "***": URL user info, password=, and similar parameters.
std::string without_password(std::string_view text);
// Whether a value of this name is a password or the like, such as "password" or "api_key".
bool is_secret_name(std::string_view name);

// nullopt when a "%" is not followed by two hexadecimal digits, or the result holds a NUL or is not UTF-8.
// "+" stays "+", as in libpq.
std::optional<std::string> percent_decoded(std::string_view text);

// Without blanks, tabs and line ends at both ends.
std::string_view trimmed_blanks(std::string_view text);
constexpr bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// ASCII only; never the locale's.
std::string lower_case(std::string_view text);
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace tide
