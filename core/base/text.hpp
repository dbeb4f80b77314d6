// User text on its way into an error text, a record or the policy: the one place that quotes and masks it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tide {

// The length of the well-formed UTF-8 character at the front of `text`, 0 if there is none.
size_t utf8_length(std::string_view text);

// Well-formed UTF-8 without NUL. What fails this could not be shown by any database.
bool is_plain_utf8(std::string_view text);

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
