// Commands: the table of all commands of the program, in the order of the help.
//
// Threads: any.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "command.hpp"

namespace tide::cli {

// X(name): each is a function add_NAME() in a file of its own, in the order of the help.
// clang-format off
#define TIDE_CLI_COMMANDS(X) \
  X(top) X(views) X(show) X(watch) X(steering) X(record) X(export) X(check) X(doctor) X(help) X(completion) X(manual)
#define TIDE_CLI_DECLARE(name) void add_##name(Program& program);
// clang-format on
TIDE_CLI_COMMANDS(TIDE_CLI_DECLARE)
#undef TIDE_CLI_DECLARE

struct Group {
  std::string_view name;  // as in Command::group
  std::string_view meaning;
};
// In the order of the help.
std::span<const Group> groups();

const Program& program();
// "-" and "_" are the same in names of commands. nullptr: there is none.
const Command* find_command(std::string_view name);
// Options that every command has, with the names that Common has for them.
std::span<const Parameter> common_parameters();

// "did you mean "status"?", or "" if nothing is similar.
std::string did_you_mean(std::string_view typed, const std::vector<std::string>& names);
std::vector<std::string> command_names();

}  // namespace tide::cli
