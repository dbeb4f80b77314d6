// Command: a verb and its arguments, checked.
//
// Made by the same code on both ends: by whoever sends it, so that a mistake is told at once, and by the pool, which
// believes nothing that came through a mailbox. What the pool itself may refuse (limits, its state) is not known here.
// Threads: any. Failure: bad_argument, naming the argument, its value, what is accepted, and the nearest known name.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.hpp"
#include "model/commands.hpp"

namespace tide {

// As it is given: nothing (not given), null, or one of the types.
struct Null {
  bool operator==(const Null&) const = default;
};
using ArgumentValue = std::variant<std::monostate, Null, bool, int64_t, double, Span, std::string>;
// By name; whole numbers stand for milliseconds where a duration is wanted, and texts such as "30s".
using Given = std::vector<std::pair<std::string, ArgumentValue>>;

// The place of an argument that the verb must have.
size_t argument_place(Verb verb, std::string_view argument);

class Command {
 public:
  Command() = default;
  explicit Command(Verb verb) : verb_(verb) {}

  Verb verb() const { return verb_; }
  std::string_view name() const { return word(verb_); }

  // What was given for an argument of this verb, which must have it. Of numbers: double; of `any`: its text.
  bool is_null(std::string_view argument) const { return std::holds_alternative<Null>(at(argument)); }
  std::optional<int64_t> whole(std::string_view argument) const { return get<int64_t>(argument); }
  std::optional<double> number(std::string_view argument) const { return get<double>(argument); }
  std::optional<bool> truth(std::string_view argument) const { return get<bool>(argument); }
  std::optional<Span> span(std::string_view argument) const { return get<Span>(argument); }
  std::optional<std::string> text(std::string_view argument) const { return get<std::string>(argument); }

  // The shortest JSON object that means the same; parse_command() takes it back.
  std::string arguments_json() const;

  uint64_t id = 0;    // 0: not posted
  std::string actor;  // who sent it

 private:
  friend Result<Command> make_command(std::string_view verb, const Given& given);
  const ArgumentValue& at(std::string_view argument) const { return values_[argument_place(verb_, argument)]; }
  template <typename T>
  std::optional<T> get(std::string_view argument) const {
    const T* const found = std::get_if<T>(&at(argument));
    return found == nullptr ? std::nullopt : std::optional<T>(*found);
  }

  Verb verb_ = Verb::scale;
  std::array<ArgumentValue, kArgumentsMax> values_;  // by the argument's place
};

Result<Command> make_command(std::string_view verb, const Given& given);
// `arguments_json` is a JSON object; "" stands for {}.
Result<Command> parse_command(std::string_view verb, std::string_view arguments_json);

// What an argument accepts, as people read it.
std::string accepted_by(const Argument& argument);

// An alert's condition begins at `threshold` and ends at `clear_at`, which may not lie beyond it.
Status check_alert_ends(std::string_view rule, Comparison comparison, double threshold, double clear_at);

}  // namespace tide
