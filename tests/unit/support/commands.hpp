// Commands as tests of the brain issue them: a verb and its only number or duration.
#pragma once

#include <string>

#include "model/command.hpp"

namespace tide::test {

// `number` -1 for scale: automatic. A duration of zero is omitted.
inline Result<Command> command(Verb verb, int64_t number = 0, Span span = {}, const std::string& reason = {}) {
  Given given;
  for (const Argument& argument : about(verb).arguments) {
    const std::string name(argument.name);
    if (argument.type == ArgumentType::whole) {
      given.emplace_back(name, verb == Verb::scale && number == -1 ? ArgumentValue(Null{}) : ArgumentValue(number));
    } else if (argument.type == ArgumentType::duration && !span.is_zero()) {
      given.emplace_back(name, span);
    } else if (name == "reason" && !reason.empty()) {
      given.emplace_back(name, reason);
    }
  }
  return make_command(word(verb), given);
}

}  // namespace tide::test
