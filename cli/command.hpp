// A command of the program: its place on the command line, and what runs when it is chosen.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

namespace tide::cli {

// Exit codes, the same for all commands. Those of `check` are in check.cpp, because monitoring systems define them.
enum ExitCode : int { kDone = 0, kFailed = 1, kMisuse = 2, kNoPool = 3 };

// Options that every command has.
struct Common {
  std::string directory;  // of the segments; "": the default
  bool is_json = false;
};

struct Program {
  CLI::App& app;
  Common& common;
  std::function<int()>& run;  // set by the command that was chosen; returns the exit code
};

}  // namespace tide::cli
