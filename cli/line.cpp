// The only file that knows CLI11, whose header takes long to compile.
#include "line.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <tidepool/tidepool.h>

#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "help.hpp"
#include "text/print.hpp"

namespace tide::cli {
namespace {

Failure misuse(std::string message, std::string detail, std::string hint) {
  return {kMisuse, std::move(message), std::move(detail), std::move(hint)};
}

// CLI11 splits the line into words and their options; what is required is checked here, so that the messages are the same
// with every version of it.
class Parser {
 public:
  explicit Parser(const Common& common) : app_("", "tidepool"), common_(common) {
    app_.set_help_flag("-h,--help");
    app_.add_flag("--version", is_version_);
    add_common(app_);
    for (const Command& command : program().commands) add(command);
    app_.require_subcommand(0, 1);
  }

  int run(std::vector<std::string> words) {
    // As people type them: set_alert as well as set-alert.
    for (std::string& word : words) {
      if (word.starts_with("-")) continue;
      if (const Command* command = find_command(word)) word = command->name;
      break;
    }
    if (!words.empty() && is_raw(words.front())) {
      Arguments rest;
      const Command& command = *find_command(words.front());
      for (size_t i = 1; i < words.size(); ++i) rest.add(command.parameters.front().name, words[i]);
      return command.run(rest, common_);
    }
    std::vector<std::string> reversed(words.rbegin(), words.rend());  // as CLI11 wants them
    try {
      app_.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
      chosen_ = parsed();
      print(chosen_ == nullptr ? overview() : help_of(*chosen_->command));
      return kDone;
    } catch (const CLI::ParseError& error) {
      chosen_ = parsed();
      throw explained(error, words);
    }
    chosen_ = parsed();
    if (is_version_) {
      print(fmt::format("tidepool {}\n", tide_version()));
      return kDone;
    }
    if (chosen_ == nullptr) {
      print_error(overview());
      return kMisuse;
    }
    return run_chosen();
  }

  const Command* chosen() const { return chosen_ == nullptr ? nullptr : chosen_->command; }

 private:
  // Takes all words as they are, also options.
  static bool is_raw(const std::string& word) {
    const Command* const command = find_command(word);
    return command != nullptr && command->is_hidden && command->takes_rest;
  }

  // The values of a parameter of a command that CLI11 fills.
  struct Slot {
    const Parameter* parameter;
    CLI::Option* option = nullptr;
    std::string one;
    std::vector<std::string> many;
    bool is_set = false;
  };
  struct Entry {
    const Command* command;
    CLI::App* app;
    std::deque<Slot> slots;  // CLI11 keeps their addresses
  };

  void add_common(CLI::App& app) {
    for (const Parameter& parameter : common_parameters()) {
      if (parameter.name == "--dir") app.add_option(parameter.name, common_.directory)->take_last();
      if (parameter.name == "--instance") app.add_option(parameter.name, common_.instance)->take_last();
      if (parameter.name == "--json") app.add_flag(parameter.name, common_.is_json);
      if (parameter.name == "--wide") app.add_flag(parameter.name, common_.is_wide);
    }
  }

  void add(const Command& command) {
    Entry& entry = entries_.emplace_back(Entry{&command, app_.add_subcommand(command.name), {}});
    entry.app->set_help_flag("-h,--help");
    add_common(*entry.app);
    if (command.takes_rest) entry.app->prefix_command();
    for (const Parameter& parameter : command.parameters) {
      if (command.takes_rest && !parameter.is_option()) continue;
      Slot& slot = entry.slots.emplace_back(Slot{&parameter, nullptr, {}, {}, false});
      const std::string names = parameter.letter.empty() ? parameter.name : parameter.letter + "," + parameter.name;
      if (parameter.is_option() && parameter.value.empty()) {
        slot.option = entry.app->add_flag(names, slot.is_set);
      } else if (parameter.is_repeated) {
        slot.option = entry.app->add_option(names, slot.many);
      } else {
        slot.option = entry.app->add_option(names, slot.one);
        if (parameter.is_option()) slot.option->take_last();
      }
    }
  }

  Entry* parsed() {
    for (Entry& entry : entries_) {
      if (entry.app->parsed()) return &entry;
    }
    return nullptr;
  }

  Failure explained(const CLI::ParseError& error, const std::vector<std::string>& words) {
    const std::string name = chosen_ == nullptr ? "" : chosen_->command->name;
    const std::string see = "see tidepool " + (name.empty() ? "--help" : "help " + name);
    const auto* const unexpected = dynamic_cast<const CLI::ExtrasError*>(&error);
    if (chosen_ == nullptr && unexpected != nullptr) {
      for (const std::string& word : words) {
        if (!word.starts_with("-")) {
          const std::string nearest = did_you_mean(word, command_names());
          return misuse("no command " + in_quotes(word), "", nearest.empty() ? see : nearest);
        }
      }
    }
    if (unexpected != nullptr) {
      const std::vector<std::string> left = chosen_ == nullptr ? app_.remaining() : chosen_->app->remaining();
      const std::string word = left.empty() ? "" : left.front();
      if (word.starts_with("-")) {
        const std::string option = word.substr(0, word.find('='));
        const std::string nearest = did_you_mean(option, options());
        return misuse("no option " + in_quotes(option), "", nearest.empty() ? see : nearest);
      }
      return misuse("unexpected argument " + in_quotes(word), "", see);
    }
    return misuse(visible(error.what()), "", see);
  }

  std::vector<std::string> options() const {
    std::vector<std::string> names{"--help"};
    for (const Parameter& parameter : common_parameters()) names.push_back(parameter.name);
    if (chosen_ == nullptr) return names;
    for (const Parameter& parameter : chosen_->command->parameters) {
      if (parameter.is_option()) names.push_back(parameter.name);
    }
    return names;
  }

  int run_chosen() {
    const Command& command = *chosen_->command;
    Arguments arguments;
    if (command.takes_rest) {
      for (const std::string& word : chosen_->app->remaining()) arguments.add(command.parameters.front().name, word);
    }
    for (const Slot& slot : chosen_->slots) {
      if (slot.option->count() == 0) continue;
      if (slot.parameter->is_repeated) {
        for (const std::string& value : slot.many) arguments.add(slot.parameter->name, value);
      } else {
        arguments.add(slot.parameter->name, slot.one);
      }
    }
    for (const Parameter& parameter : command.parameters) check(command, parameter, arguments);
    return command.run(arguments, common_);
  }

  static void check(const Command& command, const Parameter& parameter, const Arguments& arguments) {
    if (!arguments.has(parameter.name)) {
      if (!parameter.is_required) return;
      throw misuse(parameter.name + " is missing", "usage: " + usage_of(command), "see tidepool help " + command.name);
    }
    if (parameter.words.empty()) return;
    for (const std::string& given : arguments.all(parameter.name)) {
      if (std::find(parameter.words.begin(), parameter.words.end(), given) != parameter.words.end()) continue;
      throw misuse(fmt::format("{} is {}", parameter.name, in_quotes(given)),
                   fmt::format("accepted: {}", fmt::join(parameter.words, ", ")), did_you_mean(given, parameter.words));
    }
  }

  CLI::App app_;
  Common common_;
  bool is_version_ = false;
  std::deque<Entry> entries_;
  Entry* chosen_ = nullptr;
};

}  // namespace

int run_line(const std::vector<std::string>& words, const Common& common) {
  Parser parser(common);
  try {
    return parser.run(words);
  } catch (const Failure& failure) {
    print_failure(failure);
    if (failure.exit_code != kMisuse || parser.chosen() == nullptr) return failure.exit_code;
    return parser.chosen()->misuse_exit_code;
  }
}

int64_t milliseconds_of(const std::string& duration, const std::string& parameter) {
  int64_t micros = 0;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_duration_parse(duration.c_str(), &micros, &error) != TIDE_OK)
    throw misuse(parameter + ": " + error.message, error.detail, error.hint);
  return micros / 1000;
}

double number_of(const std::string& text, const std::string& parameter, double low, double high) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number >= low && number <= high) return number;
  throw misuse(fmt::format("{} is {}", parameter, in_quotes(text)), fmt::format("accepted: {} to {}", low, high), "");
}

}  // namespace tide::cli
