#include "commands.hpp"

#include <algorithm>

namespace tide::cli {

std::span<const Group> groups() {
  static constexpr Group kGroups[] = {
      {"read", "Show pools"},
      {"steer", "Change pools"},
      {"monitor", "Monitor, export and diagnose"},
      {"help", "Help"},
  };
  return kGroups;
}

const Program& program() {
  static const Program all = [] {
    Program made;
#define TIDE_CLI_ADD(name) add_##name(made);
    TIDE_CLI_COMMANDS(TIDE_CLI_ADD)
#undef TIDE_CLI_ADD
    return made;
  }();
  return all;
}

const Command* find_command(std::string_view name) {
  std::string wanted(name);
  // Names that begin with "_" are internal and have no dashes.
  if (!wanted.starts_with("_")) std::replace(wanted.begin(), wanted.end(), '_', '-');
  for (const Command& command : program().commands) {
    if (command.name == wanted) return &command;
  }
  return nullptr;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const Command& command : program().commands) {
    if (!command.is_hidden) names.push_back(command.name);
  }
  return names;
}

std::span<const Parameter> common_parameters() {
  static const Parameter kCommon[] = {
      {"--dir", "DIRECTORY", "Directory of the pools' files, instead of the default (see doctor).", false, false,
       Completes::file},
      {"--instance", "ID", "Only the pool with this instance_id, where several have one name.", false, false,
       Completes::nothing},
      {"--json", "", "Print JSON: an array of objects, or one object."},
      {"--wide", "", "Do not fit the output to the width of the terminal."},
  };
  return kCommon;
}

namespace {

// Levenshtein: the number of characters to insert, remove or replace.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& names) {
  constexpr size_t kTypedMax = 64;  // longer ones are no typing errors
  const std::string* best = nullptr;
  size_t best_distance = 0;
  for (const std::string& name : names) {
    if (typed.empty() || typed.size() > kTypedMax) break;
    const size_t edits = distance(typed, name);
    if (best != nullptr && edits >= best_distance) continue;
    best = &name;
    best_distance = edits;
  }
  if (best == nullptr || best_distance > std::max<size_t>(2, best->size() / 3)) return "";
  return "did you mean \"" + *best + "\"?";
}

}  // namespace tide::cli
