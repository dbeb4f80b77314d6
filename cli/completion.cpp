// Completion in shells: the program itself says what may follow (`__complete`), so that the scripts of the shells are small,
// and know pools, options and relations as they are now.
#include <tidepool/tidepool.h>

#include <algorithm>

#include <fmt/format.h>

#include "commands.hpp"
#include "read/reading.hpp"
#include "text/print.hpp"

namespace tide::cli {

namespace {

constexpr std::string_view kFiles = ":files";  // instead of candidates: the shell completes names of files

// No shell evaluates a candidate; the shells quote what they insert.
constexpr std::string_view kBash = R"(# Completion of tidepool for bash.
_tidepool() {
  local line candidate quoted cur=${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default
      return
    fi
    candidate=${line%%$'\t'*}
    printf -v quoted %q "$candidate"
    if [[ $quoted == "$cur"* || $candidate == "$cur"* ]]; then COMPREPLY+=("$quoted"); fi
  done < <(tidepool __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _tidepool tidepool
)";

constexpr std::string_view kZsh = R"(#compdef tidepool
# Completion of tidepool for zsh.
_tidepool() {
  local line
  local -a names shown
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      _files
      return
    fi
    names+=("${line%%$'\t'*}")
    shown+=("${line//$'\t'/  -- }")
  done < <(tidepool __complete "${words[@]:1:$((CURRENT - 1))}" 2>/dev/null)
  compadd -l -d shown -a names
}
if [[ ${funcstack[1]-} == _tidepool ]]; then
  _tidepool "$@"
else
  compdef _tidepool tidepool
fi
)";

constexpr std::string_view kFish = R"(# Completion of tidepool for fish.
function __tidepool_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found (tidepool __complete $words[2..-1] 2>/dev/null)
  if test "$found" = ":files"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\n' $found
  end
end
complete -c tidepool -f -a '(__tidepool_complete)'
)";

struct Shell {
  const char* name;
  std::string_view script;
  const char* file;
};
constexpr Shell kShells[] = {{"bash", kBash, "~/.local/share/bash-completion/completions/tidepool"},
                             {"zsh", kZsh, "a directory of $fpath, as _tidepool"},
                             {"fish", kFish, "~/.config/fish/completions/tidepool.fish"}};

int run_completion(const Arguments& arguments, const Common&) {
  for (const Shell& shell : kShells) {
    if (arguments.text("SHELL") == shell.name) print(shell.script);
  }
  return kDone;
}

struct Candidates {
  std::string lines;

  // Names that would not be one line, or change the terminal, cannot be completed.
  void add(const std::string& name, const std::string& meaning = "") {
    if (name.empty() || visible(name) != name || name.starts_with(":")) return;
    lines += name + (meaning.empty() ? "" : "\t" + visible(meaning)) + "\n";
  }
};

void add_column(const std::string& relation, const char* column, const char* meaning, const Which& which,
                Candidates& out) {
  const Reading reading = read(relation, which);
  std::vector<std::string> seen;
  for (size_t row = 0; row < reading.rows.size(); ++row) {
    const std::string name = reading.text(row, column);
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
    seen.push_back(name);
    out.add(name, reading.text(row, meaning));
  }
}

void add_commands(Candidates& out) {
  for (const Command& command : program().commands) {
    if (!command.is_hidden) out.add(command.name, command.meaning);
  }
}

void add_values(const Parameter& parameter, const Which& which, Candidates& out) {
  switch (parameter.completes) {
    case Completes::nothing: break;
    case Completes::pool: add_column("pools", "pool", "state", which, out); break;
    case Completes::option: add_column("settings", "name", "description", which, out); break;
    case Completes::relation:
      for (int i = 0; const tide_relation* relation = tide_relation_at(i); ++i)
        out.add(relation->name, relation->meaning);
      break;
    case Completes::format:
      for (int i = 0; const tide_format* format = tide_format_at(i); ++i) out.add(format->name, format->meaning);
      break;
    case Completes::command: add_commands(out); break;
    case Completes::words:
      for (const std::string& word : parameter.words) out.add(word);
      break;
    case Completes::file: out.lines = std::string(kFiles) + "\n"; break;
  }
}

const Parameter* option_of(const Command* command, const std::string& word) {
  for (const Parameter& parameter : common_parameters()) {
    if (parameter.name == word) return &parameter;
  }
  if (command == nullptr) return nullptr;
  for (const Parameter& parameter : command->parameters) {
    if (parameter.is_option() && (parameter.name == word || parameter.letter == word)) return &parameter;
  }
  return nullptr;
}

void add_options(const Command* command, Candidates& out) {
  if (command != nullptr) {
    for (const Parameter& parameter : command->parameters) {
      if (parameter.is_option()) out.add(parameter.name, parameter.meaning);
    }
  }
  for (const Parameter& parameter : common_parameters()) out.add(parameter.name, parameter.meaning);
  out.add("--help", "Explain.");
}

// What may stand in place of the last word.
Candidates candidates_for(const std::vector<std::string>& words, const Common& common) {
  Candidates out;
  const Command* command = nullptr;
  size_t positions = 0;
  const Parameter* pending = nullptr;  // an option that awaits its value
  Which which = which_of(common);
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (pending != nullptr) {
      if (pending->name == "--dir") which.directory = word;
      pending = nullptr;
    } else if (word.starts_with("-")) {
      const Parameter* const option = option_of(command, word);
      pending = option != nullptr && !option->value.empty() ? option : nullptr;
    } else if (command == nullptr) {
      command = find_command(word);
      if (command == nullptr) return out;
    } else if (command->takes_rest) {
      command = find_command(word);
      positions = 0;
      if (command == nullptr) return out;
    } else {
      ++positions;
    }
  }
  if (pending != nullptr) {
    add_values(*pending, which, out);
  } else if (!words.empty() && words.back().starts_with("-")) {
    add_options(command, out);
  } else if (command == nullptr) {
    add_commands(out);
  } else {
    for (const Parameter& parameter : command->parameters) {
      if (parameter.is_option()) continue;
      if (positions == 0 || parameter.is_repeated) {
        add_values(parameter, which, out);
        break;
      }
      --positions;
    }
  }
  return out;
}

int run_complete(const Arguments& arguments, const Common& common) {
  print(candidates_for(arguments.all("WORDS"), common).lines);
  return kDone;
}

}  // namespace

void add_completion(Program& program) {
  Command completion{"completion", "help", "Print the completion script of a shell.", {}, {}, run_completion};
  Parameter shell{"SHELL", "", "The shell.", true, false, Completes::words, {}};
  for (const Shell& each : kShells) shell.words.emplace_back(each.name);
  completion.parameters = {shell};
  completion.examples = {{"source <(tidepool completion bash)", "for this shell"}};
  completion.text = "Where it is installed for a user:";
  for (const Shell& each : kShells) completion.text += fmt::format("\n  {:<5} {}", each.name, each.file);
  program.add(std::move(completion));

  Command complete{"__complete",
                   "help",
                   "List what may stand in place of the last word.",
                   {{"WORDS", "", "The line.", false, true}},
                   {},
                   run_complete};
  complete.is_hidden = true;
  complete.takes_rest = true;
  program.add(std::move(complete));
}

}  // namespace tide::cli
