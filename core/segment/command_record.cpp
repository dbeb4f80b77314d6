#include "segment/command_record.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/assert.hpp"
#include "base/fixed_text.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "segment/attach.hpp"
#include "segment/format.hpp"

namespace tide {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMaskedValue = "***";
constexpr std::string_view kCutMark = "...";
constexpr size_t kLeftOfTextMin = 16;       // a text is not shortened to less
constexpr size_t kRecordedBytesMax = 8192;  // limits the work that a hostile sender can cause

void mask_passwords(Json& value) {
  if (value.is_string()) {
    value = without_password(value.get_ref<const std::string&>());
    return;
  }
  if (!value.is_structured()) return;
  for (auto& [key, part] : value.items()) {
    const bool is_secret = value.is_object() && is_secret_name(key) && part.is_primitive() && !part.is_null();
    if (is_secret) {
      part = kMaskedValue;
    } else {
      mask_passwords(part);
    }
  }
}

// {"option": "password", "value": "..."}: the name that marks the value as secret is a separate member.
void mask_option(Json& command) {
  const auto option = command.find("option");
  const auto value = command.find("value");
  if (option == command.end() || value == command.end() || !option->is_string() || value->is_null()) return;
  if (is_secret_name(option->get_ref<const std::string&>())) *value = kMaskedValue;
}

std::string* longest_text(Json& value) {
  if (value.is_string()) return value.get_ptr<std::string*>();
  std::string* longest = nullptr;
  if (!value.is_structured()) return longest;
  for (Json& part : value) {
    std::string* const found = longest_text(part);
    if (found != nullptr && (longest == nullptr || found->size() > longest->size())) longest = found;
  }
  return longest;
}

// Nothing if the object is too long even with short texts.
std::optional<std::string> fitted(Json value, size_t bytes_max) {
  std::string text = json_dump(value);
  while (text.size() > bytes_max) {
    std::string* const longest = longest_text(value);
    if (longest == nullptr || longest->size() <= kLeftOfTextMin) return std::nullopt;
    // Removes at most half at once: characters that JSON escapes take more bytes than in the text.
    const size_t excess = std::min(text.size() - bytes_max + kCutMark.size(), longest->size() / 2);
    const size_t kept = std::min(longest->size() - excess, longest->size() - kCutMark.size() - 1);
    *longest = std::string(utf8_prefix(*longest, kept)).append(kCutMark);
    text = json_dump(value);
  }
  return text;
}

}  // namespace

std::string recorded_verb(std::string_view verb) {
  const auto is_of_a_word = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; };
  const bool is_word = !verb.empty() && verb.size() <= decltype(format::CommandRecord::verb)::kBytesMax &&
                       std::all_of(verb.begin(), verb.end(), is_of_a_word);
  return is_word ? std::string(verb) : "unknown";
}

std::string recorded_arguments(std::string_view arguments, size_t bytes_max) {
  TIDE_ASSERT(bytes_max >= 200);
  arguments = utf8_prefix(arguments, kRecordedBytesMax);
  if (trimmed_blanks(arguments).empty()) return "{}";
  Json given = Json::parse(arguments, nullptr, false);
  if (given.is_object()) {
    mask_option(given);
    mask_passwords(given);
    const auto text = fitted(std::move(given), bytes_max);
    // PostgreSQL's jsonb does not accept NUL.
    if (text && text->find("\\u0000") == std::string::npos) return *text;
  }
  return *fitted(Json(without_password(clean_text(arguments))), bytes_max);
}

}  // namespace tide
