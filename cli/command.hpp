// Command: a subcommand of the program, described in one place: the command line, help, the manual page and completion all
// follow from these descriptions. A command's file defines `void add_NAME(Program&)`, which commands.hpp lists.
//
// Threads: one.
// Failure: a command throws Failure, or returns an exit code after it has reported the problem itself.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tide::cli {

// Exit codes, the same for all commands except `check`, whose codes monitoring systems define.
enum ExitCode : int { kDone = 0, kFailed = 1, kMisuse = 2, kNoPool = 3 };

// Options that every command has.
struct Common {
  std::string directory;  // of the segments; "": the default
  std::string instance;   // only this instance_id; "": all
  bool is_json = false;
  bool is_wide = false;  // without a limit to the width of the terminal
};

// What a value is, for completion in the shell.
enum class Completes { nothing, pool, relation, option, format, command, file, words };

struct Parameter {
  std::string name;     // "POOL": by position; "--since": an option
  std::string value;    // of an option: the word for its value, such as "DURATION"; "": a flag
  std::string meaning;  // one sentence
  bool is_required = false;
  bool is_repeated = false;  // by position: takes all that follow
  Completes completes = Completes::nothing;
  std::vector<std::string> words = {};  // the accepted ones, for Completes::words
  std::string letter = {};              // of an option: its short form, such as "-o"

  bool is_option() const { return name.starts_with("-"); }
};

// What was typed, by the names of the parameters.
class Arguments {
 public:
  void add(const std::string& name, std::string value) { given_[name].push_back(std::move(value)); }
  bool has(const std::string& name) const { return given_.contains(name); }
  std::string text(const std::string& name, const std::string& otherwise = "") const {
    const auto found = given_.find(name);
    return found == given_.end() ? otherwise : found->second.back();
  }
  std::vector<std::string> all(const std::string& name) const {
    const auto found = given_.find(name);
    return found == given_.end() ? std::vector<std::string>() : found->second;
  }

 private:
  std::map<std::string, std::vector<std::string>> given_;
};

struct Example {
  std::string line;  // "tidepool scale shop 8"
  std::string meaning;
};

struct Command {
  std::string name;
  std::string group;    // heading in the help: one of those in table.cpp
  std::string meaning;  // one sentence
  std::vector<Parameter> parameters;
  std::vector<Example> examples;  // at least one
  std::function<int(const Arguments&, const Common&)> run;
  std::string text = {};        // further paragraphs of the help
  std::string exit_codes = {};  // where they are not those of ExitCode; a line for each
  bool is_hidden = false;       // not in help and completion
  int misuse_exit_code = kMisuse;
  bool takes_rest = false;  // everything after the first position belongs to it, also words that begin with "-"
};

// The commands, in the order of the help.
struct Program {
  std::vector<Command> commands;

  void add(Command command) { commands.push_back(std::move(command)); }
};

// Ends a command. Printed as message, detail and hint on the standard error.
struct Failure {
  int exit_code = kFailed;
  std::string message;
  std::string detail = {};
  std::string hint = {};
};

}  // namespace tide::cli
