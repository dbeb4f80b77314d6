// Text from users for error messages, records and the policy: quoting, masking, UTF-8.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fixed_text.hpp"

namespace tide {

// The length of the valid UTF-8 character at the beginning of `text`, or 0.
size_t utf8_length(std::string_view text);

// Valid UTF-8 without NUL; databases cannot store other text.
bool is_plain_utf8(std::string_view text);

// Replaces invalid UTF-8 and control characters by "?"; the text does not become longer.
std::string clean_text(std::string_view text, std::string_view kept_controls = "\n\t");
template <size_t N>
std::string clean_text(const FixedText<N>& text) {
  return clean_text(text.view());
}

// A JSON string with its quotes; invalid UTF-8 becomes U+FFFD.
std::string json_text(std::string_view text);

// An SQL name ("...") or literal ('...'); quotes in it are doubled.
std::string sql_quoted(std::string_view text, char quote, std::string_view also_doubled = "");

// `text` in double quotes for an error message: passwords are masked, control characters and invalid UTF-8 become "?", and
// it is truncated to kQuotedBytesMax bytes, marked by "...".
inline constexpr size_t kQuotedBytesMax = 80;
std::string in_quotes(std::string_view text);
// The same without the quotes, for text that has quotes already.
std::string shown_text(std::string_view text);

// The text with every password replaced by "***": in the user part of URLs, password=, and similar parameters.
std::string without_password(std::string_view text);
// Whether this is the name of a secret, such as "password" or "api_key".
bool is_secret_name(std::string_view name);

// nullopt if a "%" is not followed by two hexadecimal digits, or if the result contains a NUL or is not UTF-8.
// "+" remains "+", as in libpq.
std::optional<std::string> percent_decoded(std::string_view text);

// Without blanks, tabs and line breaks at both ends.
std::string_view trimmed_blanks(std::string_view text);
constexpr bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// ASCII only, independent of the locale.
std::string lower_case(std::string_view text);
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace tide
