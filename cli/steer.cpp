// The commands that change pools: one for each verb of the library.
#include <tidepool/tidepool.h>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <optional>

#include <fmt/format.h>

#include "commands.hpp"
#include "line.hpp"
#include "read/reading.hpp"
#include "text/json.hpp"
#include "text/print.hpp"

namespace tide::cli {

namespace {

constexpr int64_t kAnswerMsMin = 1000;  // verbs with less to wait take long: only a refusal comes at once

// Verbs that callers notice: a person confirms them.
constexpr std::string_view kConfirmed[] = {"pause", "drain", "close_connection", "revoke"};

bool is_confirmed(std::string_view verb) {
  return std::find(std::begin(kConfirmed), std::end(kConfirmed), verb) != std::end(kConfirmed);
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}
std::string dashed(std::string text) {
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

// Required arguments, and the only one, are given by position.
bool is_by_position(const tide_verb& verb, const tide_argument& argument) {
  return argument.is_required != 0 || verb.narguments == 1;
}
std::string parameter_of(const tide_verb& verb, const tide_argument& argument) {
  return is_by_position(verb, argument) ? upper(argument.name) : "--" + dashed(argument.name);
}
std::string pool_parameter_of(const tide_verb& verb) {
  return verb.sent_to == TIDE_TO_POOL ? "POOL" : verb.sent_to == TIDE_TO_ALERT ? "" : "--pool";
}

Parameter described(const tide_verb& verb, const tide_argument& argument) {
  Parameter parameter;
  parameter.name = parameter_of(verb, argument);
  if (parameter.is_option()) parameter.value = argument.type == TIDE_DURATION ? "DURATION" : "VALUE";
  parameter.meaning = argument.meaning;
  if (argument.is_nullable != 0) parameter.meaning += " \"auto\": automatic.";
  parameter.is_required = argument.is_required != 0;
  if (std::string_view(argument.name) == "option") parameter.completes = Completes::option;
  return parameter;
}

std::vector<Parameter> parameters_of(const tide_verb& verb) {
  std::vector<Parameter> parameters;
  if (pool_parameter_of(verb) == "POOL") {
    parameters.push_back({"POOL", "", "The pool's name, or its instance_id.", true, false, Completes::pool});
  }
  for (int i = 0; i < verb.narguments; ++i) parameters.push_back(described(verb, verb.arguments[i]));
  if (pool_parameter_of(verb) == "--pool") {
    parameters.push_back({"--pool", "POOL",
                          verb.sent_to == TIDE_TO_EVERY_POOL ? "Only this pool; default: all pools."
                                                             : "The pool, where several have this number.",
                          false, false, Completes::pool});
  }
  parameters.push_back({"--timeout", "DURATION", "How long to wait for the answer; 0 does not wait."});
  if (is_confirmed(verb.name)) parameters.push_back({"--yes", "", "Do not ask for a confirmation."});
  return parameters;
}

std::string sample_of(const tide_argument& argument) {
  constexpr std::pair<std::string_view, std::string_view> kSamples[] = {
      {"option", "max_size"}, {"value", "20"}, {"rule", "long_queue"}, {"message", "\"release 42\""}};
  for (const auto& [name, sample] : kSamples) {
    if (name == argument.name) return std::string(sample);
  }
  return argument.type == TIDE_DURATION ? "30s" : "8";
}

Example example_of(const tide_verb& verb) {
  std::string line = "tidepool " + dashed(verb.name);
  if (pool_parameter_of(verb) == "POOL") line += " shop";
  for (int i = 0; i < verb.narguments; ++i) {
    if (is_by_position(verb, verb.arguments[i])) line += " " + sample_of(verb.arguments[i]);
  }
  if (std::string_view(verb.name) == "set_alert") line += " --threshold 5";
  return {line, ""};
}

std::optional<bool> truth_of(const std::string& text) {
  if (text == "true" || text == "on" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "off" || text == "no" || text == "0") return false;
  return std::nullopt;
}

template <typename Number>
bool parse(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

// What is no number stays a text, which the library refuses with the name of the argument and what it accepts.
tide_value value_of(const tide_argument& argument, const std::string& text) {
  tide_value value{};
  value.type = TIDE_TEXT;
  value.text = text.c_str();
  value.length = text.size();
  if (argument.is_nullable != 0 && (text == "auto" || text == "null")) value.type = TIDE_VALUE_NULL;
  if (argument.type == TIDE_INT && parse(text, value.integer)) value.type = TIDE_INT;
  if (argument.type == TIDE_DOUBLE && parse(text, value.real)) value.type = TIDE_DOUBLE;
  if (const auto truth = truth_of(text); argument.type == TIDE_BOOL && truth) {
    value.type = TIDE_BOOL;
    value.integer = *truth ? 1 : 0;
  }
  return value;
}

// A command with the texts that it points to.
struct Order {
  const tide_verb& verb;
  std::string pool;  // or instance_id; "": the arguments determine it
  std::vector<std::string> texts;
  tide_command command = TIDE_COMMAND_INIT;

  Order(const tide_verb& of, const Arguments& arguments, const Common& common) : verb(of) {
    pool = !common.instance.empty() && verb.sent_to != TIDE_TO_ALERT ? common.instance
           : pool_parameter_of(verb).empty()                         ? ""
                                                                     : arguments.text(pool_parameter_of(verb));
    texts.resize(static_cast<size_t>(verb.narguments));
    command.verb = verb.name;
    command.pool = pool.empty() && verb.sent_to != TIDE_TO_POOL ? nullptr : pool.c_str();
    command.nvalues = verb.narguments;
    for (int i = 0; i < verb.narguments; ++i) {
      const std::string name = parameter_of(verb, verb.arguments[i]);
      if (!arguments.has(name)) continue;
      std::string& text = texts[static_cast<size_t>(i)];
      text = arguments.text(name);
      command.values[i] = value_of(verb.arguments[i], text);
    }
  }
  Order(const Order&) = delete;
  Order& operator=(const Order&) = delete;

  tide_status send(int mode, int64_t wait_ms, const Common& common, tide_error& error) {
    tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
    with.directory = common.directory.empty() ? nullptr : common.directory.c_str();
    with.via = "tidepool";
    tide_command* const batch[] = {&command};
    return tide_control_batch(batch, 1, mode, wait_ms, &with, &error);
  }
};

bool is_agreed(const Order& order, const Arguments& arguments) {
  const bool has_person = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
  if (!is_confirmed(order.verb.name) || arguments.has("--yes") || !has_person) return true;
  std::string what = dashed(order.verb.name);
  if (!order.pool.empty()) what += " " + in_quotes(order.pool);
  for (const std::string& text : order.texts) {
    if (!text.empty()) what += " " + visible(text);
  }
  print_error(fmt::format("{}: {}\nContinue? [y/N] ", what, order.verb.meaning));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

struct Outcome {
  std::string status;
  std::string message;
};

// As the pool shows it in `commands`.
Outcome outcome_of(const Order& order, const Common& common) {
  const Reading commands = read("commands", {common.directory, "", ""});
  for (size_t row = 0; row < commands.rows.size(); ++row) {
    if (static_cast<uint64_t>(commands.cell(row, "command_id").integer) != order.command.command_id) continue;
    return {commands.text(row, "status"), commands.text(row, "message")};
  }
  return {"sent", ""};
}

void report(const Order& order, const Common& common, const std::string& status, const std::string& message) {
  if (common.is_json) {
    print(fmt::format("{{\"verb\": {}, \"status\": {}, \"command_id\": {}, \"pools\": {}, \"message\": {}}}\n",
                      json_string(order.verb.name), json_string(status), order.command.command_id, order.command.pools,
                      message.empty() ? "null" : json_string(message)));
    return;
  }
  const std::string where = order.command.pools > 1 ? fmt::format(" ({} pools)", order.command.pools) : "";
  print(fmt::format("{}{}{}\n", status, where, message.empty() ? "" : ": " + visible(message)));
}

int run_verb(const tide_verb& verb, const Arguments& arguments, const Common& common) {
  Order order(verb, arguments, common);
  tide_error error = TIDE_ERROR_INIT;
  const int64_t wait_ms = arguments.has("--timeout") ? milliseconds_of(arguments.text("--timeout"), "--timeout") : -1;
  if (order.send(TIDE_BATCH_CHECK, 0, common, error) != TIDE_OK) {
    if (error.status == TIDE_NOT_FOUND) require_pools({common.directory, "", ""});  // tells more where there is none
    fail_with(error);
  }
  if (!is_agreed(order, arguments)) {
    print_error("not sent\n");
    return kFailed;
  }
  if (order.send(TIDE_BATCH_POST, wait_ms, common, error) != TIDE_OK) {
    if (common.is_json && error.status == TIDE_REFUSED) report(order, common, "refused", error.message);
    fail_with(error);
  }
  if (order.command.state == TIDE_COMMAND_APPLIED) {
    report(order, common, "applied", outcome_of(order, common).message);
    return kDone;
  }
  const Outcome outcome = outcome_of(order, common);
  report(order, common, outcome.status, outcome.message);
  if (wait_ms == 0 || (wait_ms < 0 && verb.wait_ms < kAnswerMsMin)) return kDone;
  throw Failure{kFailed, fmt::format("command {} has not been answered in time", order.command.command_id),
                "it may still be applied", "tidepool commands shows its result; do not send it again"};
}

}  // namespace

void add_steering(Program& program) {
  for (int i = 0; const tide_verb* verb = tide_verb_at(i); ++i) {
    Command command{
        dashed(verb->name),
        "steer",
        verb->meaning,
        parameters_of(*verb),
        {example_of(*verb)},
        [verb](const Arguments& arguments, const Common& common) { return run_verb(*verb, arguments, common); }};
    if (is_confirmed(verb->name)) command.text = "Asks for a confirmation on a terminal.";
    program.add(std::move(command));
  }
}

}  // namespace tide::cli
