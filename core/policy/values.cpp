// Conversion of one value between its text and its member of Policy.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <vector>

#include "base/nearest.hpp"
#include "base/overloaded.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "policy/catalogue.hpp"
#include "policy/http_url.hpp"
#include "policy/replica_targets.hpp"
#include "policy/settings.hpp"

namespace tide {
namespace {

constexpr std::array<std::string_view, 4> kTrueWords = {"on", "true", "yes", "1"};
constexpr std::array<std::string_view, 4> kFalseWords = {"off", "false", "no", "0"};
constexpr std::array<std::string_view, 2> kLogDestinations = {"stderr", "syslog"};

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string listed(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) {
    out += (out.empty() ? "" : ", ") + (word.empty() ? std::string("''") : std::string(word));
  }
  return out;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (stopped != end || error == std::errc::invalid_argument) return std::nullopt;
  // A number that exceeds 64 bits is still a whole number, but above every maximum.
  if (error == std::errc::result_out_of_range) return std::numeric_limits<int64_t>::max();
  return value;
}

std::optional<double> parse_ratio(std::string_view text) {
  // from_chars accepts "inf" and "nan" too.
  if (text.empty() || !(is_digit(text.front()) || text.front() == '-' || text.front() == '.')) return std::nullopt;
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end || value != value) return std::nullopt;
  return value;
}

std::string format_ratio(double ratio) {
  std::array<char, 64> out{};
  const auto [end, error] = std::to_chars(out.data(), out.data() + out.size(), ratio);
  TIDE_ASSERT(error == std::errc{});
  return {out.data(), end};
}

std::string from_to(const Setting& setting) {
  return "from " + std::string(setting.min_text) + " to " + std::string(setting.max_text);
}

// What the option accepts: the detail of every error about its value.
std::string accepted(const Setting& setting) {
  switch (setting.kind) {
    case SettingKind::boolean: return "The value must be on or off (also true, false, yes, no, 1, 0).";
    case SettingKind::integer:
      return "The value must be a whole number " + from_to(setting) + " (" + std::string(setting.unit) + ").";
    case SettingKind::ratio: return "The value must be a ratio " + from_to(setting) + ".";
    case SettingKind::duration:
      return "The value must be a duration " + from_to(setting) +
             ", such as 500ms, 30s, 5min, 1h or 2d; a number is in milliseconds.";
    case SettingKind::choice: return "The value must be one of: " + listed(setting.choices) + ".";
    case SettingKind::text:
      if (const auto& text = std::get<TextMember>(member_of(setting)); text.rule == TextRule::recovery_list) {
        return "The value must be a comma-separated list of: " + listed(kRecoveryStrategies) + "; it may be empty.";
      }
      if (std::get<TextMember>(member_of(setting)).rule == TextRule::log_destination) {
        return "The value must be one of: " + listed(kLogDestinations) + ", or the absolute path of a file.";
      }
      return "The value must be UTF-8 text of at most " + std::string(setting.max_text) + ".";
    case SettingKind::bytes:
      return "The value must be a size " + from_to(setting) + ", such as 512MB or 2GB; a number is in bytes.";
  }
  return {};
}

// Options whose values are confidential: not even an error repeats them.
bool is_confidential(const Setting& setting) {
  const auto* const text = std::get_if<TextMember>(&member_of(setting));
  return text != nullptr && (text->rule == TextRule::http_url || text->rule == TextRule::secret);
}

Status refused(const Setting& setting, std::string_view text, std::string_view why, std::string hint = {}) {
  return Status::error(Code::bad_option,
                       "invalid value for option " + in_quotes(setting.name) + ": " +
                           (is_confidential(setting) ? "it" : in_quotes(text)) + " " + std::string(why),
                       accepted(setting), std::move(hint));
}

Status out_of_range(const Setting& setting, std::string_view text, bool is_below) {
  return refused(setting, text, is_below ? "is below the minimum" : "is above the maximum",
                 is_below ? "The minimum is " + std::string(setting.min_text) + "."
                          : "The maximum is " + std::string(setting.max_text) + ".");
}

Status assign_boolean(Policy& policy, const Setting& setting, bool Policy::*member, std::string_view text) {
  const std::optional<bool> is_on = parse_boolean(text);
  if (!is_on) {
    return refused(setting, text, "is not a boolean",
                   "Write " + std::string(setting.name) + "=on or " + std::string(setting.name) + "=off.");
  }
  policy.*member = *is_on;
  return Status::ok();
}

Status assign_integer(Policy& policy, const Setting& setting, int64_t Policy::*member, std::string_view text) {
  const auto value = parse_integer(text);
  if (!value) {
    return refused(setting, text, "is not a whole number",
                   "Write digits only, for example " + std::string(setting.default_text) + ".");
  }
  if (text.front() == '-') {
    return refused(setting, text, "is negative", "The minimum is " + std::string(setting.min_text) + ".");
  }
  if (*value < *parse_integer(setting.min_text)) return out_of_range(setting, text, true);
  if (*value > *parse_integer(setting.max_text)) return out_of_range(setting, text, false);
  policy.*member = *value;
  return Status::ok();
}

Status assign_ratio(Policy& policy, const Setting& setting, double Policy::*member, std::string_view text) {
  const auto value = parse_ratio(text);
  if (!value) return refused(setting, text, "is not a ratio", "Write 80 % as 0.8.");
  if (text.front() == '-') {
    return refused(setting, text, "is negative", "The minimum is " + std::string(setting.min_text) + ".");
  }
  if (*value < *parse_ratio(setting.min_text)) return out_of_range(setting, text, true);
  if (*value > *parse_ratio(setting.max_text)) {
    return refused(setting, text, "is above the maximum",
                   "The maximum is " + std::string(setting.max_text) + ". Write 80 % as 0.8.");
  }
  policy.*member = *value;
  return Status::ok();
}

Status assign_duration(Policy& policy, const Setting& setting, Span Policy::*member, std::string_view text) {
  if (!text.empty() && text.front() == '-') {
    return refused(setting, text, "is negative", "The minimum is " + std::string(setting.min_text) + ".");
  }
  const auto value = parse_span(text);
  if (!value) {
    return refused(setting, text, "is not a valid duration",
                   "Units are us, ms, s, min, h and d; the resolution is 1us.");
  }
  if (*value < *parse_span(setting.min_text)) return out_of_range(setting, text, true);
  if (*value > *parse_span(setting.max_text)) return out_of_range(setting, text, false);
  policy.*member = *value;
  return Status::ok();
}

// A choice with the value "off" also accepts the other words for false, and one with a value that means "on", those for true.
std::string choice_word(const ChoiceMember& member, std::string_view text) {
  constexpr std::string_view kOnWords[] = {"auto", "alerts"};
  const std::string word = lower_case(text);
  if (is_one_of(word, member.names) || !is_one_of("off", member.names)) return word;
  if (is_one_of(word, kFalseWords)) return "off";
  if (!is_one_of(word, kTrueWords)) return word;
  for (const std::string_view on : kOnWords) {
    if (is_one_of(on, member.names)) return std::string(on);
  }
  return word;
}

Status assign_choice(Policy& policy, const Setting& setting, const ChoiceMember& member, std::string_view text) {
  const std::string word = choice_word(member, text);
  for (size_t i = 0; i < member.names.size(); ++i) {
    if (member.names[i] != word) continue;
    member.set(policy, i);
    return Status::ok();
  }
  return refused(setting, text, "is not one of the accepted values", did_you_mean(word, member.names));
}

// The elements of a list, without surrounding blanks; an empty list has none.
std::vector<std::string_view> words_of_list(std::string_view text) {
  std::vector<std::string_view> words;
  if (trimmed_blanks(text).empty()) return words;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    words.push_back(trimmed_blanks(text.substr(begin, comma - begin)));
    begin = comma + 1;
  }
  return words;
}

Status assign_recovery(Policy& policy, const Setting& setting, std::string Policy::*member, std::string_view text) {
  std::vector<std::string_view> chosen;
  for (const std::string_view word : words_of_list(text)) {
    const std::string lower = lower_case(word);
    const auto known = std::find(std::begin(kRecoveryStrategies), std::end(kRecoveryStrategies), lower);
    if (known == std::end(kRecoveryStrategies)) {
      return refused(setting, word, "is not a recovery strategy", did_you_mean(lower, kRecoveryStrategies));
    }
    if (std::find(chosen.begin(), chosen.end(), *known) != chosen.end()) {
      return refused(setting, word, "is specified more than once", "List each strategy once.");
    }
    chosen.push_back(*known);
  }
  std::string list;
  for (const std::string_view word : chosen) list.append(list.empty() ? "" : ",").append(word);
  policy.*member = list;
  return Status::ok();
}

Status assign_bytes(Policy& policy, const Setting& setting, int64_t Policy::*member, std::string_view text) {
  if (!text.empty() && text.front() == '-') {
    return refused(setting, text, "is negative", "The minimum is " + std::string(setting.min_text) + ".");
  }
  const auto value = parse_bytes(text);
  if (!value) return refused(setting, text, "is not a valid size", "Units are B, kB, MB, GB and TB.");
  if (*value < *parse_bytes(setting.min_text)) return out_of_range(setting, text, true);
  if (*value > *parse_bytes(setting.max_text)) return out_of_range(setting, text, false);
  policy.*member = *value;
  return Status::ok();
}

// "63 bytes"
size_t text_bytes_max(const Setting& setting) {
  size_t bytes = 0;
  const std::string_view text = setting.max_text;
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes;
}

Status assign_text(Policy& policy, const Setting& setting, const TextMember& member, std::string_view text) {
  if (text.size() > text_bytes_max(setting)) {
    return refused(setting, text, "is too long (" + std::to_string(text.size()) + " bytes)",
                   "The maximum is " + std::string(setting.max_text) + ".");
  }
  if (!is_plain_utf8(text)) return refused(setting, text, "is not valid UTF-8, or contains a NUL byte");
  if (member.rule == TextRule::recovery_list) return assign_recovery(policy, setting, member.text, text);
  if (member.rule == TextRule::targets) {
    if (const auto targets = parse_replicas(text); !targets) return targets.status();
  }
  if (member.rule == TextRule::http_url && !text.empty()) {
    if (const std::string why = why_not_http_url(text); !why.empty()) {
      return refused(setting, text, why, "Write http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH.");
    }
  }
  const bool is_path = !text.empty() && text.front() == '/';
  if (member.rule == TextRule::absolute_path && !text.empty() && !is_path) {
    return refused(setting, text, "is not an absolute path", "Begin the path with \"/\".");
  }
  if (member.rule == TextRule::log_destination && !is_path && !is_one_of(text, kLogDestinations)) {
    return refused(setting, text, "is not a log destination", "The path of a file begins with \"/\".");
  }
  policy.*member.text = std::string(text);
  return Status::ok();
}

}  // namespace

std::optional<bool> parse_boolean(std::string_view text) {
  const std::string word = lower_case(trimmed_blanks(text));
  if (is_one_of(word, kTrueWords)) return true;
  if (is_one_of(word, kFalseWords)) return false;
  return std::nullopt;
}

bool takes_list(const Setting& setting) {
  const auto* const text = std::get_if<TextMember>(&member_of(setting));
  return text != nullptr && text->rule == TextRule::recovery_list;
}

// Without what is secret.
std::string shown_text(TextRule rule, const std::string& text) {
  if (rule == TextRule::targets) return shown_replicas(text);
  if (rule == TextRule::secret && !text.empty()) return "********";
  if (rule == TextRule::http_url && !text.empty()) return origin_of(text);
  return text;
}

std::string format_member(const Policy& policy, const Member& member) {
  return std::visit(Overloaded{
                        [&](bool Policy::*m) { return std::string(policy.*m ? "on" : "off"); },
                        [&](int64_t Policy::*m) { return std::to_string(policy.*m); },
                        [&](double Policy::*m) { return format_ratio(policy.*m); },
                        [&](Span Policy::*m) { return format_span(policy.*m); },
                        [&](const ChoiceMember& m) { return std::string(m.names[m.get(policy)]); },
                        [&](const TextMember& m) { return shown_text(m.rule, policy.*m.text); },
                        [&](const BytesMember& m) { return format_bytes(policy.*m.bytes); },
                    },
                    member);
}

std::string format_value(const Policy& policy, const Setting& setting) {
  return format_member(policy, member_of(setting));
}

Status assign_value(Policy& policy, const Setting& setting, std::string_view text) {
  const std::string_view bare = trimmed_blanks(text);
  return std::visit(Overloaded{
                        [&](bool Policy::*m) { return assign_boolean(policy, setting, m, bare); },
                        [&](int64_t Policy::*m) { return assign_integer(policy, setting, m, bare); },
                        [&](double Policy::*m) { return assign_ratio(policy, setting, m, bare); },
                        [&](Span Policy::*m) { return assign_duration(policy, setting, m, bare); },
                        [&](const ChoiceMember& m) { return assign_choice(policy, setting, m, bare); },
                        [&](const TextMember& m) { return assign_text(policy, setting, m, text); },
                        [&](const BytesMember& m) { return assign_bytes(policy, setting, m.bytes, bare); },
                    },
                    member_of(setting));
}

}  // namespace tide
