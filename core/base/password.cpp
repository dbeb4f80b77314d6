// Masks passwords in text from users before it is used in errors, even if the text is malformed.
//
// In case of doubt too much is masked: an unreadable error message is acceptable, a password in a log is not.
#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace tide {
namespace {

constexpr std::string_view kMask = "***";

// "scheme://user:secret@host": from the first colon to the last "@" of the whole text, because an unencoded
// password may contain "@", "/", "?" and "#".
std::string mask_user_info(std::string_view text) {
  const size_t slashes = text.find("://");
  size_t begin = slashes == std::string_view::npos ? 0 : slashes + 3;
  size_t at = text.rfind('@');
  if (at == std::string_view::npos) at = text.rfind("%40");  // the wrong "@" was encoded
  if (at != std::string_view::npos && at < begin) begin = 0;
  const size_t colon = text.find(':', begin);
  if (at == std::string_view::npos || colon == std::string_view::npos || colon > at) return std::string(text);
  return std::string(text.substr(0, colon + 1)) + std::string(kMask) + std::string(text.substr(at));
}

// "scheme://user:secret/db", without "@host": the text at the position of the port is masked unless it is a number.
std::string mask_false_ports(const std::string& text) {
  const size_t slashes = text.find("://");
  if (slashes == std::string::npos || text.find('@', slashes) != std::string::npos) return text;
  const size_t begin = slashes + 3;
  const size_t end = std::min(text.find_first_of("/?#", begin), text.size());
  const std::string authority = text.substr(begin, end - begin);
  if (authority.find('[') != std::string::npos) return text;
  std::string masked;
  for (size_t part = 0; part <= authority.size();) {
    const size_t comma = std::min(authority.find(',', part), authority.size());
    const std::string host = authority.substr(part, comma - part);
    const size_t colon = std::min(host.find(':'), host.size());
    const bool has_port =
        std::all_of(host.begin() + static_cast<std::ptrdiff_t>(std::min(colon + 1, host.size())), host.end(), is_digit);
    masked += has_port ? host : host.substr(0, colon + 1) + std::string(kMask);
    if (comma < authority.size()) masked += ",";
    part = comma + 1;
  }
  return text.substr(0, begin) + masked + text.substr(end);
}

bool is_key_char(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-' || c == '%'; }

// The beginning and end of the key before position `end`; blanks and one quote may follow it.
struct KeyPlace {
  size_t begin;
  size_t end;
};
KeyPlace key_before(std::string_view text, size_t end) {
  while (end > 0 && is_blank(text[end - 1])) --end;
  while (end > 0 && (text[end - 1] == '"' || text[end - 1] == '\'' || text[end - 1] == '\\')) --end;
  size_t begin = end;
  while (begin > 0 && is_key_char(text[begin - 1])) --begin;
  return {begin, end};
}

size_t quoted_end(std::string_view text, size_t at) {
  const char quote = text[at++];
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (at + 1 >= text.size() || text[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return text.size();
}

// The end of the value at `at`. A query parameter ends at "&", a word at a blank without a backslash.
size_t value_end(std::string_view text, size_t at, bool is_parameter) {
  if (is_parameter) return std::min(text.find('&', at), text.size());
  if (at < text.size() && text[at] == '\\') return text.size();  // quoted within quotes: the end cannot be determined
  if (at < text.size() && (text[at] == '\'' || text[at] == '"')) {
    at = quoted_end(text, at);
    constexpr std::string_view kClosing = ",;}]&";
    if (at < text.size() && kClosing.find(text[at]) != std::string_view::npos) return at;
  }
  for (; at < text.size() && !is_blank(text[at]); ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at, text.size());
}

std::string mask_values(std::string_view text) {
  std::string out;
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_encoded = text[i] == '%' && lower_case(text.substr(i, 3)) == "%3d";
    if (text[i] != '=' && text[i] != ':' && !is_encoded) continue;
    const KeyPlace key = key_before(text, i);
    if (key.begin == key.end || !is_secret_name(text.substr(key.begin, key.end - key.begin))) continue;
    const bool is_parameter =
        is_encoded || (key.begin > 0 && (text[key.begin - 1] == '?' || text[key.begin - 1] == '&'));
    size_t value = i + (is_encoded ? 3 : 1);
    while (value < text.size() && is_blank(text[value])) ++value;
    const size_t end = value_end(text, value, is_parameter);
    const std::string quote =
        value < text.size() && (text[value] == '\'' || text[value] == '"') ? std::string(1, text[value]) : "";
    out.append(text.substr(copied, value - copied)).append(quote).append(kMask).append(quote);
    copied = end;
    i = std::max(i, end > 0 ? end - 1 : 0);
  }
  return out.append(text.substr(copied));
}

}  // namespace

bool is_secret_name(std::string_view name) {
  const std::string key = lower_case(percent_decoded(name).value_or(std::string(name)));
  constexpr std::array<std::string_view, 11> kParts = {
      "passw",  "sword",   "passphrase", "pwd",        "secret",      "token",
      "apikey", "api_key", "scram",      "webhookurl", "webhook_url",  // whoever knows such a URL may post there
  };
  for (const std::string_view part : kParts) {
    if (key.find(part) != std::string::npos) return true;
  }
  return key == "pass" || key.ends_with("_pass") || key.ends_with("dbpass");
}

std::string without_password(std::string_view text) { return mask_values(mask_false_ports(mask_user_info(text))); }

}  // namespace tide
