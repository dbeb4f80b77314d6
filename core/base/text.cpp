#include "base/text.hpp"

#include <cstdint>

#include "base/json.hpp"

namespace tide {
namespace {

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<uint32_t>(static_cast<unsigned char>(text[i])) : 0U;
  };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  // Overlong forms, surrogates, and values above U+10FFFF.
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

bool is_plain_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0 || text.front() == '\0') return false;
    text.remove_prefix(length);
  }
  return true;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  if (!is_plain_utf8(out)) return std::nullopt;
  return out;
}

std::string clean_text(std::string_view text, std::string_view kept_controls) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char front = text.front();
    const bool is_control = (front >= 0 && front < 0x20) || front == 0x7F;
    size_t length = utf8_length(text);
    if (length == 0 || (is_control && kept_controls.find(front) == kept_controls.npos)) {
      out.push_back('?');
      length = 1;
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string shown_text(std::string_view text) {
  const std::string shown = clean_text(without_password(text), "");
  const std::string_view kept = utf8_prefix(shown, kQuotedBytesMax);
  return std::string(kept) + (kept.size() < shown.size() ? "..." : "");
}

std::string in_quotes(std::string_view text) { return "\"" + shown_text(text) + "\""; }

std::string json_text(std::string_view text) { return json_dump(nlohmann::json(text)); }

std::string sql_quoted(std::string_view text, char quote, std::string_view also_doubled) {
  std::string out(1, quote);
  for (const char c : text) out.append(c == quote || also_doubled.find(c) != also_doubled.npos ? 2 : 1, c);
  return out + quote;
}

std::string_view trimmed_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace tide
