#include "plane/order_form.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "plane/format.hpp"
#include "plane/vocabulary.hpp"

namespace tide {
namespace {

using Json = nlohmann::json;

constexpr size_t kGivenBytesMax = 4096;  // more than any order needs; bounds the work for a hostile one
constexpr size_t kCanonicalBytesMax = FixedText<896>::kBytesMax;
constexpr int64_t kSizeMax = std::numeric_limits<int32_t>::max();  // the pool knows its own bound

enum class Kind : uint8_t {
  size,
  id,
  length,
  spread,
  option,
  value,
  reason,
  by,
  rule,
  metric,
  comparison,
  threshold,
  hold,
  severity,
  enabled,
  message,
  advice,
  clear_at,
};

struct Argument {
  std::string_view name;
  Kind kind;
  bool is_required;
};

constexpr Argument kScale[] = {{"target_size", Kind::size, true}, {"reason", Kind::reason, false}};
constexpr Argument kBurst[] = {{"duration", Kind::length, false}};
constexpr Argument kSet[] = {{"option", Kind::option, true}, {"value", Kind::value, true}};
constexpr Argument kRecycle[] = {{"spread", Kind::spread, false}};
constexpr Argument kCloseConnection[] = {{"conn_id", Kind::id, true}};
constexpr Argument kRevoke[] = {{"lease_id", Kind::id, true}};
constexpr Argument kAck[] = {{"alert_id", Kind::id, true}, {"by", Kind::by, false}};
constexpr Argument kSetAlert[] = {{"rule", Kind::rule, true},
                                  {"metric", Kind::metric, false},
                                  {"comparison", Kind::comparison, false},
                                  {"threshold", Kind::threshold, false},
                                  {"for", Kind::hold, false},
                                  {"severity", Kind::severity, false},
                                  {"enabled", Kind::enabled, false},
                                  {"message", Kind::message, false},
                                  {"advice", Kind::advice, false},
                                  {"clear_at", Kind::clear_at, false}};
constexpr Argument kDropAlert[] = {{"rule", Kind::rule, true}};

// By verb.
constexpr std::array<std::span<const Argument>, 16> kArguments = {
    kScale, kBurst, {}, kSet, {}, {}, kRecycle, {}, kCloseConnection, kRevoke, {}, {}, kAck, kSetAlert, kDropAlert, {}};

std::string list_of(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

// The words a kind is limited to; none where anything goes.
std::span<const std::string_view> words_of(Kind kind) {
  switch (kind) {
    case Kind::metric: return vocabulary::alert_metrics();
    case Kind::comparison: return vocabulary::comparisons();
    case Kind::severity: return vocabulary::severities();
    default: return {};
  }
}

std::string text_of_at_most(size_t bytes) { return "a text of at most " + std::to_string(bytes) + " bytes"; }

constexpr const char* kSuchAs = " such as \"30s\", \"500ms\" or \"5min\", or whole milliseconds";

std::string accepted(Kind kind) {
  switch (kind) {
    case Kind::size: return "a whole number of connections from 0, or null for automatic";
    case Kind::id: return "a whole number from 1";
    case Kind::length: return "a duration above 0 and up to " + format_span(kBurstMax) + kSuchAs;
    case Kind::spread: return std::string("a duration") + kSuchAs + "; 0: at once";
    case Kind::option: return "the name of an option";
    case Kind::value: return "a text, a number, true or false";
    case Kind::reason: return text_of_at_most(kReasonBytesMax);
    case Kind::by: return text_of_at_most(kAckedByBytesMax) + ", not empty";
    case Kind::rule: return "1 to " + std::to_string(kRuleNameBytesMax) + " of a to z, 0 to 9 and _";
    case Kind::metric:
    case Kind::comparison:
    case Kind::severity: return list_of(words_of(kind));
    case Kind::threshold:
    case Kind::clear_at: return "a number from 0 to below 1e18";
    case Kind::hold: return "a duration up to " + format_span(kAlertHoldMax) + kSuchAs + "; 0: at once";
    case Kind::enabled: return "true or false";
    case Kind::message:
    case Kind::advice: return text_of_at_most(kAlertTextBytesMax);
  }
  return "";
}

// What somebody typed, fit for an error text: a text in quotes, all else as JSON.
std::string typed(const Json& value) {
  return value.is_string() ? in_quotes(value.get_ref<const std::string&>()) : shown_text(value.dump());
}

std::string meant(std::string_view typed, std::span<const std::string_view> known) {
  const std::string_view name = nearest_name(typed, known);
  return name.empty() ? std::string{} : "did you mean \"" + std::string(name) + "\"?";
}

Status bad(std::string message, std::string detail = {}, std::string hint = {}) {
  return Status::error(Code::bad_argument, std::move(message), std::move(detail), std::move(hint));
}

std::optional<int64_t> whole_number(const Json& value) {
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) return {};
  if (!value.is_number_integer()) return {};
  return value.get<int64_t>();
}

std::optional<Span> duration(const Json& value) {
  if (value.is_string()) return parse_span(value.get_ref<const std::string&>());
  const auto ms = whole_number(value);
  return ms && *ms >= 0 ? parse_span(std::to_string(*ms)) : std::nullopt;
}

// A text that C strings and the room it is meant for can carry.
bool is_text(const Json& value, size_t bytes_max = kGivenBytesMax) {
  return value.is_string() && value.get_ref<const std::string&>().size() <= bytes_max &&
         value.get_ref<const std::string&>().find('\0') == std::string::npos;
}

// A text for people, who must read no password in it.
std::optional<std::string> masked_text(const Json& value, size_t bytes_max, Json& canonical) {
  if (!is_text(value)) return {};
  std::string text = without_password(value.get_ref<const std::string&>());
  if (text.size() > bytes_max) return {};
  canonical = text;
  return text;
}

bool is_word(const Json& value) { return is_text(value) && !value.get_ref<const std::string&>().empty(); }

std::optional<std::string> rule_name(const Json& value) {
  if (!is_word(value)) return {};
  const auto& name = value.get_ref<const std::string&>();
  const bool is_plain = std::all_of(
      name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  return is_plain && name.size() <= kRuleNameBytesMax ? std::optional(name) : std::nullopt;
}

std::optional<double> figure(const Json& value) {
  if (!value.is_number()) return {};
  const auto number = value.get<double>();
  return number >= 0 && number < kAlertFigureMax ? std::optional(number) : std::nullopt;
}

// One of the words of its kind.
std::optional<std::string> choice(Kind kind, const Json& value) {
  const auto words = words_of(kind);
  if (!value.is_string() || std::find(words.begin(), words.end(), value.get_ref<const std::string&>()) == words.end()) {
    return {};
  }
  return value.get<std::string>();
}

// Puts what was found into its place; false: nothing was found.
template <typename T, typename Place>
bool keep(const std::optional<T>& found, Place& place) {
  if (found) place = *found;
  return found.has_value();
}

// fill_in() of the arguments about alerts. Their canonical form is the value itself, but for a duration's.
bool fill_in_alert(Kind kind, const Json& value, OrderForm& form, Json& canonical) {
  AlertForm& alert = form.alert;
  const auto text = [&](size_t bytes_max) { return masked_text(value, bytes_max, canonical); };
  canonical = value;
  switch (kind) {
    case Kind::by: return is_word(value) && keep(text(kAckedByBytesMax), form.by);
    case Kind::rule: return keep(rule_name(value), alert.rule);
    case Kind::metric: return keep(choice(kind, value), alert.metric);
    case Kind::comparison: return keep(choice(kind, value), alert.comparison);
    case Kind::severity: return keep(choice(kind, value), alert.severity);
    case Kind::threshold: return keep(figure(value), alert.threshold);
    case Kind::clear_at: return keep(figure(value), alert.clear_at);
    case Kind::message: return keep(text(kAlertTextBytesMax), alert.message);
    case Kind::advice: return keep(text(kAlertTextBytesMax), alert.advice);
    case Kind::enabled:
      return keep(value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt, alert.is_enabled);
    case Kind::hold: {
      if (!keep(duration(value), alert.hold) || *alert.hold > kAlertHoldMax) return false;
      canonical = format_span(*alert.hold);
      return true;
    }
    default: return false;
  }
}

// Fills in one argument, and its canonical form; false: the value is not of this kind.
bool fill_in(Kind kind, const Json& value, OrderForm& form, Json& canonical) {
  switch (kind) {
    case Kind::size: {
      const auto size = value.is_null() ? std::optional<int64_t>(-1) : whole_number(value);
      if (!size || *size > kSizeMax || (*size < 0 && !value.is_null())) return false;
      form.number = *size;
      canonical = value;
      return true;
    }
    case Kind::id: {
      const auto id = whole_number(value);
      if (!id || *id < 1) return false;
      form.number = *id;
      canonical = value;
      return true;
    }
    case Kind::length:
    case Kind::spread: {
      const auto span = duration(value);
      if (!span || (kind == Kind::length && (span->is_zero() || *span > kBurstMax))) return false;
      form.span = *span;
      canonical = format_span(*span);
      return true;
    }
    case Kind::option: {
      if (!is_word(value)) return false;
      form.option = value.get<std::string>();
      canonical = form.option;
      return true;
    }
    case Kind::value: {
      if (!value.is_string() && !value.is_number() && !value.is_boolean()) return false;
      form.value = value.is_string() ? value.get<std::string>() : value.dump();
      if (form.value.find('\0') != std::string::npos) return false;
      canonical = form.value;
      return true;
    }
    case Kind::reason: return keep(masked_text(value, kReasonBytesMax, canonical), form.reason);
    default: return fill_in_alert(kind, value, form, canonical);
  }
}

// Of what the order says itself; the rest is up to the rule as the pool has it.
Status check_ends(const AlertForm& alert) {
  if (!alert.comparison || !alert.threshold || !alert.clear_at) return Status::ok();
  return check_alert_ends(alert.rule, *alert.comparison, *alert.threshold, *alert.clear_at);
}

Status too_long(const std::string& verb, size_t bytes, size_t bytes_max) {
  return bad("the arguments of " + verb + " are too long",
             std::to_string(bytes) + " bytes; accepted: up to " + std::to_string(bytes_max));
}

// A key that stands twice would mean one thing to one reader and another to the next.
Result<Json> parse_object(const std::string& verb, const std::string& takes, std::string_view text) {
  std::set<std::string> keys;
  std::string twice;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& part) {
    if (event == Json::parse_event_t::key && depth == 1 && !keys.insert(part.get<std::string>()).second) {
      twice = part.get<std::string>();
    }
    return true;
  };
  try {
    Json given = text.empty() ? Json::object() : Json::parse(text, watch);
    if (!given.is_object()) return bad("the arguments of " + verb + " are no JSON object", takes);
    if (!twice.empty()) return bad("argument " + in_quotes(twice) + " of " + verb + " stands twice", takes);
    return given;
  } catch (const Json::parse_error& error) {
    return bad("the arguments of " + verb + " are no JSON: wrong at byte " + std::to_string(error.byte), takes,
               "such as {} or {\"name\": \"value\"}");
  } catch (const Json::exception&) {
    return bad("the arguments of " + verb + " hold a number that is too large", takes);
  }
}

}  // namespace

std::span<const std::string_view> order_verbs() { return vocabulary::verbs(); }

Result<OrderForm> check_order(std::string_view verb_name, std::string_view arguments_json) {
  OrderForm form;
  const auto verbs = order_verbs();
  TIDE_ASSERT(verbs.size() == kArguments.size());
  while (form.verb < verbs.size() && verbs[form.verb] != verb_name) ++form.verb;
  if (form.verb == verbs.size()) {
    return bad("unknown verb " + in_quotes(verb_name), "accepted: " + list_of(verbs), meant(verb_name, verbs));
  }
  const std::string verb(verb_name);
  const std::span<const Argument> known = kArguments[form.verb];
  std::vector<std::string_view> names;
  for (const Argument& argument : known) names.push_back(argument.name);
  const std::string takes = verb + (names.empty() ? " takes no arguments" : " takes " + list_of(names));
  if (arguments_json.size() > kGivenBytesMax) return too_long(verb, arguments_json.size(), kGivenBytesMax);
  auto given = parse_object(verb, takes, arguments_json);
  if (!given) return given.take_status();

  for (const auto& [key, value] : given->items()) {
    bool is_known = false;
    for (const std::string_view name : names) is_known = is_known || name == key;
    if (!is_known) return bad("unknown argument " + in_quotes(key) + " of " + verb, takes, meant(key, names));
  }
  Json canonical = Json::object();
  for (const Argument& argument : known) {
    const std::string name(argument.name);
    const auto found = given->find(name);
    if (found == given->end() || (found->is_null() && !argument.is_required)) {
      if (!argument.is_required) continue;
      return bad(verb + " lacks the argument \"" + name + "\"", "accepted: " + accepted(argument.kind));
    }
    if (!fill_in(argument.kind, *found, form, canonical[name])) {
      // Of signs, each is as near as any other.
      const auto words =
          argument.kind == Kind::comparison ? std::span<const std::string_view>{} : words_of(argument.kind);
      return bad(verb + ": " + name + " is " + typed(*found), "accepted: " + accepted(argument.kind),
                 found->is_string() ? meant(found->get_ref<const std::string&>(), words) : std::string{});
    }
  }
  if (Status ends = check_ends(form.alert); !ends) return ends;
  form.canonical = canonical.dump();
  if (form.canonical.size() > kCanonicalBytesMax) return too_long(verb, form.canonical.size(), kCanonicalBytesMax);
  return form;
}

}  // namespace tide
