#include "plane/order_form.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "base/nearest.hpp"
#include "base/units.hpp"
#include "plane/format.hpp"

namespace tide {
namespace {

using nlohmann::json;

// More than any order needs; bounds the work for a hostile one.
constexpr size_t kArgumentsBytesMax = 4096;
constexpr size_t kCanonicalBytesMax = decltype(format::MailboxOrder::arguments)::kBytesMax;
constexpr size_t kOptionBytesMax = 48;
constexpr size_t kReasonBytesMax = decltype(format::ScalingRecord::reason)::kBytesMax;
constexpr int64_t kTargetSizeMax = 1'000'000;  // the pool knows its own bound; this is only against nonsense

enum class Kind : uint8_t { size_or_null, id, duration, option_name, option_value, text };

struct Argument {
  std::string_view name;
  Kind kind;
  bool is_required;
};

struct Form {
  OrderVerb verb;
  std::span<const Argument> arguments;
};

constexpr Argument kScale[] = {{"target_size", Kind::size_or_null, true}, {"reason", Kind::text, false}};
constexpr Argument kBurst[] = {{"duration", Kind::duration, false}};
constexpr Argument kSet[] = {{"option", Kind::option_name, true}, {"value", Kind::option_value, true}};
constexpr Argument kRecycle[] = {{"spread", Kind::duration, false}};
constexpr Argument kCloseConnection[] = {{"conn_id", Kind::id, true}};
constexpr Argument kRevoke[] = {{"lease_id", Kind::id, true}};

std::span<const Argument> arguments_of(OrderVerb verb) {
  switch (verb) {
    case OrderVerb::scale: return kScale;
    case OrderVerb::burst: return kBurst;
    case OrderVerb::set: return kSet;
    case OrderVerb::recycle: return kRecycle;
    case OrderVerb::close_connection: return kCloseConnection;
    case OrderVerb::revoke: return kRevoke;
    default: return {};
  }
}

std::string_view accepted(Kind kind) {
  switch (kind) {
    case Kind::size_or_null: return "a whole number of connections from 0, or null for automatic sizing";
    case Kind::id: return "a positive whole number";
    case Kind::duration: return "a duration such as \"30s\", \"500ms\", \"5min\", or a whole number of milliseconds";
    case Kind::option_name: return "the name of an option";
    case Kind::option_value: return "the option's new value: text, number or boolean";
    case Kind::text: return "text";
  }
  return "";
}

// What somebody typed, short enough and clean enough to be quoted.
std::string in_quotes(std::string_view text) { return "\"" + std::string(utf8_prefix(text, 60)) + "\""; }

std::string list_of(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

std::string meant(std::string_view typed, std::span<const std::string_view> known) {
  const std::string_view name = nearest_name(typed, known);
  return name.empty() ? std::string{} : "did you mean \"" + std::string(name) + "\"?";
}

Status bad(std::string message, std::string detail, std::string hint = {}) {
  return Status::error(Code::bad_argument, std::move(message), std::move(detail), std::move(hint));
}

std::optional<int64_t> whole_number(const json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number_float()) {  // 8.0 is what some languages print for 8
    const double number = value.get<double>();
    if (std::trunc(number) == number && std::fabs(number) < 9e15) return static_cast<int64_t>(number);
  }
  return std::nullopt;
}

std::optional<Span> duration(const json& value) {
  if (value.is_string()) return parse_span(value.get_ref<const std::string&>());
  const auto ms = whole_number(value);
  if (!ms || *ms < 0 || *ms > Span::forever().ms()) return std::nullopt;
  return Span::millis(*ms);
}

std::string as_option_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "on" : "off";
  return value.dump();
}

// False: not of this kind.
bool take(Kind kind, const json& value, OrderForm& form) {
  switch (kind) {
    case Kind::size_or_null: {
      const auto number = value.is_null() ? std::optional<int64_t>(-1) : whole_number(value);
      if (!number || *number > kTargetSizeMax || (*number < 0 && !value.is_null())) return false;
      form.number = *number;
      return true;
    }
    case Kind::id: {
      const auto number = whole_number(value);
      if (!number || *number <= 0) return false;
      form.number = *number;
      return true;
    }
    case Kind::duration: {
      const auto span = duration(value);
      if (!span) return false;
      form.span = *span;
      return true;
    }
    case Kind::option_name: {
      if (!value.is_string() || value.get_ref<const std::string&>().empty()) return false;
      form.option = value.get<std::string>();
      return form.option.size() <= kOptionBytesMax;
    }
    case Kind::option_value: {
      if (!value.is_string() && !value.is_number() && !value.is_boolean()) return false;
      form.value = as_option_text(value);
      return true;
    }
    case Kind::text: {
      if (!value.is_string()) return false;
      form.reason = utf8_prefix(value.get_ref<const std::string&>(), kReasonBytesMax);
      return true;
    }
  }
  return false;
}

std::optional<OrderVerb> verb_of(std::string_view name) {
  const auto verbs = vocabulary::verbs();
  for (size_t i = 0; i < verbs.size(); ++i) {
    if (verbs[i] == name) return static_cast<OrderVerb>(i);
  }
  return std::nullopt;
}

std::string shown(const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() <= 60 ? text : std::string(utf8_prefix(text, 60)) + "...";
}

}  // namespace

Result<OrderForm> check_order(std::string_view verb_name, std::string_view arguments_json) {
  const auto verb = verb_of(verb_name);
  if (!verb) {
    return bad("unknown verb " + in_quotes(verb_name), "accepted: " + list_of(vocabulary::verbs()),
               meant(verb_name, vocabulary::verbs()));
  }
  if (arguments_json.size() > kArgumentsBytesMax) {
    return bad("the arguments of " + std::string(verb_name) + " are too long",
               std::to_string(arguments_json.size()) + " bytes; at most " + std::to_string(kArgumentsBytesMax));
  }
  const json given = arguments_json.empty() ? json::object() : json::parse(arguments_json, nullptr, false);
  const std::span<const Argument> known = arguments_of(*verb);
  std::vector<std::string_view> names;
  for (const Argument& argument : known) names.push_back(argument.name);
  const std::string takes = known.empty() ? std::string(verb_name) + " takes no arguments"
                                          : std::string(verb_name) + " takes " + list_of(names);
  if (!given.is_object()) return bad("the arguments of " + std::string(verb_name) + " are no JSON object", takes);

  for (const auto& [key, value] : given.items()) {
    bool is_known = false;
    for (const std::string_view name : names) is_known = is_known || name == key;
    if (!is_known) {
      return bad("unknown argument " + in_quotes(key) + " of " + std::string(verb_name), takes, meant(key, names));
    }
  }
  OrderForm form;
  form.verb = *verb;
  for (const Argument& argument : known) {
    const auto found = given.find(argument.name);
    if (found == given.end()) {
      if (!argument.is_required) continue;
      return bad(std::string(verb_name) + " lacks the argument \"" + std::string(argument.name) + "\"",
                 "accepted: " + std::string(accepted(argument.kind)));
    }
    if (!take(argument.kind, *found, form)) {
      return bad(std::string(verb_name) + ": " + std::string(argument.name) + " is " + shown(*found),
                 "accepted: " + std::string(accepted(argument.kind)));
    }
  }
  form.arguments = given.dump(-1, ' ', false, json::error_handler_t::replace);
  if (form.arguments.size() > kCanonicalBytesMax) {
    return bad("the arguments of " + std::string(verb_name) + " are too long",
               std::to_string(form.arguments.size()) + " bytes; at most " + std::to_string(kCanonicalBytesMax));
  }
  return form;
}

}  // namespace tide
