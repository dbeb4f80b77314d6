// User text on its way into an error text or into the policy.
#pragma once

#include <string>
#include <string_view>

namespace tide {

// Well-formed UTF-8 without NUL. What fails this could not be shown by any database.
bool is_plain_utf8(std::string_view text);

// `text` in double quotes for an error text: passwords masked, control characters and broken UTF-8 as "?", and at most
// kQuotedBytesMax bytes of it, "..." behind what was cut.
inline constexpr size_t kQuotedBytesMax = 80;
std::string in_quotes(std::string_view text);

// Without blanks, tabs and line ends at both ends.
std::string_view trimmed_blanks(std::string_view text);
constexpr bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// ASCII only; never the locale's.
std::string lower_case(std::string_view text);
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace tide
