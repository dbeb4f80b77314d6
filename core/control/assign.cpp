#include "control/assign.hpp"

#include <charconv>
#include <optional>

#include "base/text.hpp"

namespace tide {
namespace {

std::optional<int64_t> whole_in(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

const Argument& argument_of(const Setter& setter, std::string_view name) {
  return about(setter.verb).arguments[argument_place(setter.verb, name)];
}

// Faces pass texts for columns of every type.
ArgumentValue typed(const Argument& argument, const ArgumentValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  const auto whole = text != nullptr && argument.type == ArgumentType::whole ? whole_in(*text) : std::nullopt;
  return whole ? ArgumentValue(*whole) : value;
}

Status cannot_be(const Column& column, std::string_view key, const ArgumentValue& value, const std::string& detail) {
  const auto* text = std::get_if<std::string>(&value);
  const auto* number = std::get_if<int64_t>(&value);
  const std::string shown = text != nullptr ? in_quotes(*text) : number != nullptr ? std::to_string(*number) : "NULL";
  return Status::error(Code::bad_argument, std::string(column.name) + " cannot be " + shown,
                       (key.empty() ? "" : "of " + in_quotes(key) + "; ") + detail);
}

}  // namespace

Result<Assignment> assign(const Column& column, std::string_view key, const ArgumentValue& value) {
  if (column.setters.empty())
    return Status::error(Code::bad_argument, std::string(column.name) + " cannot be assigned");
  std::string accepted;
  for (const Setter& setter : column.setters) {
    if (!setter.when.empty() && value != ArgumentValue(std::string(setter.when))) {
      accepted += (accepted.empty() ? "" : ", ") + in_quotes(setter.when) + " to " + std::string(word(setter.verb));
      continue;
    }
    Assignment out{&setter, {}, {}};
    Given given;
    const auto give = [&](std::string_view name, const ArgumentValue& from, ArgumentValue& to) {
      if (name.empty()) return;
      to = typed(argument_of(setter, name), from);
      given.emplace_back(name, to);
    };
    give(setter.which, std::string(setter.key.empty() ? column.name : key), out.which);
    give(setter.value, value, out.value);
    const auto command = make_command(word(setter.verb), given);
    const Argument* const changed = setter.value.empty() ? nullptr : &argument_of(setter, setter.value);
    // Where NULL has no meaning of its own for the verb, it means "not given".
    if (changed != nullptr && changed->null_is.empty() && std::holds_alternative<Null>(value)) {
      return cannot_be(column, key, value, "accepted: " + accepted_by(*changed));
    }
    if (!command) return cannot_be(column, key, setter.value.empty() ? value : out.value, command.status().detail());
    return out;
  }
  return cannot_be(column, key, value, "accepted: " + accepted);
}

}  // namespace tide
