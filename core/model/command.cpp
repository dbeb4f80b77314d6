#include "model/command.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/assert.hpp"
#include "base/json.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "base/units.hpp"

namespace tide {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kGivenBytesMax = 4096;  // more than any command needs; limits the work for a hostile one
constexpr const char* kSuchAs = " such as \"30s\", \"500ms\" or \"5min\", or whole milliseconds";

Status bad(std::string message, std::string detail = {}, std::string hint = {}) {
  return Status::error(Code::bad_argument, std::move(message), std::move(detail), std::move(hint));
}

std::string list_of(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

// With all significant digits.
std::string exact(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char out[32];
  std::snprintf(out, sizeof out, "%.15g", value);
  std::string text = out;
  std::erase(text, '+');  // 1e18
  return text;
}

Json json_of(const ArgumentValue& value) {
  struct ToJson {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(Null) const { return nullptr; }
    Json operator()(bool truth) const { return truth; }
    Json operator()(int64_t number) const { return number; }
    Json operator()(double number) const {
      const bool is_whole = number == std::trunc(number) && std::abs(number) < 1e15;
      return is_whole ? Json(static_cast<int64_t>(number)) : Json(number);
    }
    Json operator()(Span span) const { return format_span(span); }
    Json operator()(const std::string& text) const { return text; }
  };
  return std::visit(ToJson(), value);
}

// A value that a user typed, as shown in an error text: a text in quotes, anything else as JSON.
std::string typed(const ArgumentValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return in_quotes(*text);
  const auto* number = std::get_if<double>(&value);
  return number != nullptr && !std::isfinite(*number) ? exact(*number) : shown_text(json_dump(json_of(value)));
}

// nothing: the JSON type is not valid for any argument.
std::optional<ArgumentValue> value_of(const Json& json) {
  if (json.is_null()) return Null{};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) {
    return json.get<double>();
  }
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_number()) return json.get<double>();
  return std::nullopt;
}

std::optional<double> number_in(const ArgumentValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  const auto* number = std::get_if<double>(&value);
  return number != nullptr && std::isfinite(*number) ? std::optional(*number) : std::nullopt;
}

bool is_within(const Range& range, double value) {
  return value >= range.low && value <= range.high && !(range.is_open_below && value == range.low);
}

std::optional<Span> span_in(const ArgumentValue& value) {
  if (const auto* span = std::get_if<Span>(&value)) return *span >= Span() ? std::optional(*span) : std::nullopt;
  if (const auto* text = std::get_if<std::string>(&value)) return parse_span(*text);
  const auto* ms = std::get_if<int64_t>(&value);
  return ms != nullptr && *ms >= 0 ? parse_span(std::to_string(*ms)) : std::nullopt;
}

bool is_of_a_name(char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_'; }

std::optional<std::string> text_in(const Argument& argument, const ArgumentValue& value) {
  const auto* given = std::get_if<std::string>(&value);
  // Texts without NUL, since C strings cannot contain it.
  if (given == nullptr || given->find('\0') != std::string::npos) return {};
  std::string text = *given;
  if (!argument.words.empty()) {
    const bool is_known = std::find(argument.words.begin(), argument.words.end(), text) != argument.words.end();
    return is_known ? std::optional(text) : std::nullopt;
  }
  const bool is_prose = argument.rule == TextKind::prose || argument.rule == TextKind::signature;
  if (text.empty() && argument.rule != TextKind::prose) return {};
  if (is_prose) text = without_password(text);
  if (argument.rule == TextKind::name && !std::all_of(text.begin(), text.end(), is_of_a_name)) return {};
  return text.size() <= argument.bytes_max ? std::optional(text) : std::nullopt;
}

std::optional<std::string> text_of_any(const ArgumentValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return text->find('\0') == std::string::npos ? std::optional(*text) : std::nullopt;
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return std::isfinite(*number) ? std::optional(Json(*number).dump()) : std::nullopt;
  }
  if (std::holds_alternative<int64_t>(value) || std::holds_alternative<bool>(value)) return json_dump(json_of(value));
  return {};
}

template <typename T>
bool keep(std::optional<T> found, ArgumentValue& out) {
  if (found) out = std::move(*found);
  return found.has_value();
}

// False: the argument does not accept this value.
bool accept(const Argument& argument, const ArgumentValue& given, ArgumentValue& out) {
  if (std::holds_alternative<Null>(given)) {
    out = given;
    return !argument.null_is.empty();
  }
  switch (argument.type) {
    case ArgumentType::whole: {
      const auto* whole = std::get_if<int64_t>(&given);
      return whole != nullptr && is_within(argument.range, static_cast<double>(*whole)) &&
             keep(std::optional(*whole), out);
    }
    case ArgumentType::number: {
      const auto number = number_in(given);
      return number && is_within(argument.range, *number) && *number < argument.range.high && keep(number, out);
    }
    case ArgumentType::boolean: {
      const auto* truth = std::get_if<bool>(&given);
      return truth != nullptr && keep(std::optional(*truth), out);
    }
    case ArgumentType::duration: {
      const auto span = span_in(given);
      return span && is_within(argument.range, static_cast<double>(span->ns())) && keep(span, out);
    }
    case ArgumentType::text: return keep(text_in(argument, given), out);
    case ArgumentType::any: return keep(text_of_any(given), out);
  }
  return false;
}

const Argument* find_argument(std::span<const Argument> arguments, std::string_view name) {
  const auto found =
      std::find_if(arguments.begin(), arguments.end(), [&](const Argument& argument) { return argument.name == name; });
  return found == arguments.end() ? nullptr : &*found;
}

std::string takes(std::string_view verb, std::span<const Argument> arguments) {
  std::string out;
  for (const Argument& argument : arguments) out.append(out.empty() ? "" : ", ").append(argument.name);
  return std::string(verb) + (out.empty() ? " takes no arguments" : " takes " + out);
}

Status too_long(std::string_view verb, size_t bytes, size_t bytes_max) {
  return bad("the arguments of " + std::string(verb) + " are too long",
             std::to_string(bytes) + " bytes; accepted: up to " + std::to_string(bytes_max));
}

Status unknown_verb(std::string_view verb) {
  return bad("unknown verb " + in_quotes(verb), "accepted: " + list_of(kWords<Verb>), did_you_mean(verb, kWords<Verb>));
}

Status unknown_argument(std::string_view name, Verb verb) {
  std::vector<std::string_view> names;
  for (const Argument& argument : about(verb).arguments) names.push_back(argument.name);
  return bad("unknown argument " + in_quotes(name) + " of " + std::string(word(verb)),
             takes(word(verb), about(verb).arguments), did_you_mean(name, names));
}

constexpr std::string_view kMetricFigures[] = {"threshold", "clear_at"};  // in the unit of the metric

// What a figure with a unit, such as "5s" or "90%", is in the unit of the metric that the command names.
std::string without_unit(const Command& command, const Argument& argument, const ArgumentValue& given) {
  const auto* const text = std::get_if<std::string>(&given);
  if (text == nullptr ||
      std::find(std::begin(kMetricFigures), std::end(kMetricFigures), argument.name) == std::end(kMetricFigures)) {
    return {};
  }
  const auto metric = member_of<Metric>(command.text("metric").value_or(""));
  if (!metric) return "give a number in the unit of the metric";
  const MetricInfo& info = about(*metric);
  std::string hint = "give a number; the unit of " + std::string(info.name) + " is " + std::string(info.unit);
  const auto span = parse_span(*text);
  const auto bytes = parse_bytes(*text);
  if (info.unit == "ms" && span) hint += ": " + exact(span->ms_exact());
  if (info.unit == "bytes" && bytes) hint += ": " + exact(static_cast<double>(*bytes));
  if (info.unit == "ratio" && text->ends_with('%')) hint += ": 90 % is 0.9";
  return hint;
}

Status wrong(const Command& command, const Argument& argument, const ArgumentValue& given) {
  const Verb verb = command.verb();
  const auto* const text = std::get_if<std::string>(&given);
  // Comparison signs are all equally similar, so none of them is suggested.
  const bool is_of_words =
      text != nullptr && !argument.words.empty() && argument.words.data() != kWords<Comparison>.data();
  return bad(std::string(word(verb)) + ": " + std::string(argument.name) + " is " + typed(given),
             "accepted: " + accepted_by(argument),
             is_of_words ? did_you_mean(*text, argument.words) : without_unit(command, argument, given));
}

// Only of a metric that the command itself names; the pool checks the rest with the rule it has.
Status check_units_of(const Command& command) {
  if (command.verb() != Verb::set_alert) return Status::ok();
  const auto metric = member_of<Metric>(command.text("metric").value_or(""));
  for (const std::string_view figure : kMetricFigures) {
    const auto value = command.number(figure);
    if (!metric || !value) continue;
    if (Status known = check_alert_unit(*command.text("rule"), figure, *metric, *value); !known) return known;
  }
  return Status::ok();
}

// Compares only values that the command itself contains; the pool compares the rest with the rule it has.
Status check_ends_of(const Command& command) {
  if (command.verb() != Verb::set_alert) return Status::ok();
  const auto comparison = member_of<Comparison>(command.text("comparison").value_or(""));
  const auto threshold = command.number("threshold");
  const auto clear_at = command.number("clear_at");
  if (!comparison || !threshold || !clear_at) return Status::ok();
  return check_alert_ends(*command.text("rule"), *comparison, *threshold, *clear_at);
}

// Different readers would use different values of a key that occurs twice.
Result<Json> parse_object(std::string_view verb, const std::string& accepts, std::string_view text) {
  const std::string arguments = "the arguments of " + std::string(verb);
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
    if (!given.is_object()) return bad(arguments + " are not a JSON object", accepts);
    if (!twice.empty())
      return bad("argument " + in_quotes(twice) + " of " + std::string(verb) + " is specified more than once", accepts);
    return given;
  } catch (const Json::parse_error& error) {
    return bad(arguments + " are not valid JSON: error at byte " + std::to_string(error.byte), accepts,
               "such as {} or {\"name\": \"value\"}");
  } catch (const Json::exception&) {
    return bad(arguments + " contain a number that is too large", accepts);
  }
}

}  // namespace

std::string accepted_by(const Argument& argument) {
  const Range& range = argument.range;
  switch (argument.type) {
    case ArgumentType::whole: {
      std::string text = "a whole number";
      if (!argument.unit.empty()) text.append(" of ").append(argument.unit);
      text.append(" from ").append(exact(range.low));
      return argument.null_is.empty() ? text : text.append(", or null for ").append(argument.null_is);
    }
    case ArgumentType::number: return "a number from " + exact(range.low) + " to below " + exact(range.high);
    case ArgumentType::boolean: return "true or false";
    case ArgumentType::duration: {
      const std::string to =
          std::isfinite(range.high) ? "up to " + format_span(Span::nanos(static_cast<int64_t>(range.high))) : "";
      std::string text = "a duration";
      if (range.is_open_below) text.append(" above 0").append(to.empty() ? "" : " and " + to);
      if (!range.is_open_below && !to.empty()) text.append(" " + to);
      return text.append(kSuchAs).append(argument.zero_is_at_once ? "; 0: at once" : "");
    }
    case ArgumentType::any: return "a text, a number, true or false";
    case ArgumentType::text: break;
  }
  if (!argument.words.empty()) return list_of(argument.words);
  if (argument.rule == TextKind::name) return "1 to " + std::to_string(argument.bytes_max) + " of a to z, 0 to 9 and _";
  return "a text of at most " + std::to_string(argument.bytes_max) + " bytes" +
         (argument.rule == TextKind::prose ? "" : ", not empty");
}

size_t argument_place(Verb verb, std::string_view argument) {
  const std::span<const Argument> arguments = about(verb).arguments;
  size_t place = 0;
  while (place < arguments.size() && arguments[place].name != argument) ++place;
  TIDE_ASSERT(place < arguments.size());
  return place;
}

std::string Command::arguments_json() const {
  Json out = Json::object();
  const std::span<const Argument> arguments = about(verb_).arguments;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!std::holds_alternative<std::monostate>(values_[i])) out[std::string(arguments[i].name)] = json_of(values_[i]);
  }
  return json_dump(out);
}

Result<Command> make_command(std::string_view verb_name, const Given& given) {
  const auto verb = member_of<Verb>(verb_name);
  if (!verb) return unknown_verb(verb_name);
  Command command(*verb);
  const std::span<const Argument> arguments = about(*verb).arguments;
  for (const auto& each : given) {
    if (find_argument(arguments, each.first) == nullptr) return unknown_argument(each.first, *verb);
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = arguments[i];
    const ArgumentValue* found = nullptr;
    for (const auto& [name, value] : given) {
      if (name == argument.name) found = &value;
    }
    // null stands for an optional argument that is not given
    const bool is_missing = found == nullptr || std::holds_alternative<std::monostate>(*found) ||
                            (std::holds_alternative<Null>(*found) && !argument.is_required);
    if (is_missing && argument.is_required) {
      return bad(std::string(verb_name) + " requires the argument \"" + std::string(argument.name) + "\"",
                 "accepted: " + accepted_by(argument));
    }
    if (!is_missing && !accept(argument, *found, command.values_[i])) return wrong(command, argument, *found);
  }
  if (Status units = check_units_of(command); !units) return units;
  if (Status ends = check_ends_of(command); !ends) return ends;
  const size_t bytes = command.arguments_json().size();
  if (bytes > kArgumentsBytesMax) return too_long(verb_name, bytes, kArgumentsBytesMax);
  return command;
}

Result<Command> parse_command(std::string_view verb_name, std::string_view arguments_json) {
  const auto verb = member_of<Verb>(verb_name);
  if (!verb) return unknown_verb(verb_name);
  if (arguments_json.size() > kGivenBytesMax) return too_long(verb_name, arguments_json.size(), kGivenBytesMax);
  const auto object = parse_object(verb_name, takes(verb_name, about(*verb).arguments), arguments_json);
  if (!object) return object.status();
  Given given;
  for (const auto& [key, json] : object->items()) {
    auto value = value_of(json);
    if (value) {
      given.emplace_back(key, std::move(*value));
      continue;
    }
    const Argument* const argument = find_argument(about(*verb).arguments, key);
    if (argument == nullptr) return unknown_argument(key, *verb);
    return bad(std::string(verb_name) + ": " + key + " is " + shown_text(json_dump(json)),
               "accepted: " + accepted_by(*argument));
  }
  return make_command(verb_name, given);
}

Status check_alert_ends(std::string_view rule, Comparison comparison, double threshold, double clear_at) {
  const bool is_upward = comparison == Comparison::above || comparison == Comparison::at_least;
  if (is_upward ? clear_at <= threshold : clear_at >= threshold) return Status::ok();
  return Status::error(Code::bad_argument,
                       "alert rule " + in_quotes(rule) + ": clear_at " + exact(clear_at) + " is " +
                           (is_upward ? "above" : "below") + " the threshold " + exact(threshold),
                       "with " + std::string(word(comparison)) + " the condition ends at clear_at, so it must be " +
                           (is_upward ? "at most" : "at least") + " the threshold",
                       "specify both clear_at and threshold");
}

Status check_alert_unit(std::string_view rule, std::string_view argument, Metric metric, double value) {
  const MetricInfo& info = about(metric);
  if (value <= info.top) return Status::ok();
  const std::string name(info.name);
  const bool is_percent = info.unit == "ratio" && value <= 100;
  return bad("alert rule " + in_quotes(rule) + ": " + std::string(argument) + " " + exact(value) + " is above " +
                 exact(info.top) + ", the highest " + name,
             "accepted: a number up to " + exact(info.top) + "; the unit of " + name + " is " + std::string(info.unit),
             is_percent ? "for " + exact(value) + " % give " + exact(value / 100) : "");
}

}  // namespace tide
