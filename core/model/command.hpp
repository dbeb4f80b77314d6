// Command: a verb and its arguments, checked.
//
// The same code checks on both sides: in the sender, so that an error is reported immediately, and in the pool, which
// trusts nothing that came through a mailbox. What only the pool can refuse (limits, its state) is not checked here.
// Threads: any. Failure: bad_argument, naming the argument, its value, what is accepted, and the most similar known
// name.
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

// A value as given by the caller: nothing (not given), null, or one of the types.
struct Null {
  bool operator==(const Null&) const = default;
};
using ArgumentValue = std::variant<std::monostate, Null, bool, int64_t, double, Span, std::string>;
// Sets an argument by name. A duration is a whole number of milliseconds, or a text such as "30s".
using Given = std::vector<std::pair<std::string, ArgumentValue>>;

// The index of an argument; the verb must have it.
size_t argument_place(Verb verb, std::string_view argument);

class Command {
 public:
  Command() = default;
  explicit Command(Verb verb) : verb_(verb) {}

  Verb verb() const { return verb_; }
  std::string_view name() const { return word(verb_); }

  // The value given for an argument; the verb must have the argument. Numbers: double; `any`: its text.
  bool is_null(std::string_view argument) const { return std::holds_alternative<Null>(at(argument)); }
  std::optional<int64_t> whole(std::string_view argument) const { return get<int64_t>(argument); }
  std::optional<double> number(std::string_view argument) const { return get<double>(argument); }
  std::optional<bool> truth(std::string_view argument) const { return get<bool>(argument); }
  std::optional<Span> span(std::string_view argument) const { return get<Span>(argument); }
  std::optional<std::string> text(std::string_view argument) const { return get<std::string>(argument); }

  // The shortest equivalent JSON object; parse_command() accepts it.
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

// Describes what an argument accepts, for error messages.
std::string accepted_by(const Argument& argument);

// The condition of an alert begins at `threshold` and ends at `clear_at`, which may not lie beyond the threshold.
Status check_alert_ends(std::string_view rule, Comparison comparison, double threshold, double clear_at);
// Neither may be above what the metric can reach: 90 is no utilization, 0.9 is. `argument`: threshold or clear_at.
Status check_alert_unit(std::string_view rule, std::string_view argument, Metric metric, double value);

}  // namespace tide
