#include "help.hpp"

#include <tidepool/tidepool.h>

#include <algorithm>

#include <fmt/format.h>

#include "commands.hpp"
#include "text/print.hpp"

namespace tide::cli {

namespace {

constexpr size_t kTextWidth = 100;

// Breaks lines at blanks; lines of the text stay separate.
std::string wrapped(const std::string& text, size_t indent, size_t width) {
  std::string out;
  size_t column = indent;
  for (size_t begin = 0; begin < text.size();) {
    if (text[begin] == '\n') {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      ++begin;
      continue;
    }
    const size_t from = text.find_first_not_of(' ', begin);
    size_t end = from == std::string::npos ? text.size() : text.find_first_of(" \n", from);
    end = std::min(end, text.size());
    if (column + end - begin > width && column > indent) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      begin = from;
    }
    out += text.substr(begin, end - begin);
    column += end - begin;
    begin = end;
  }
  return out;
}

size_t width_now() {
  const int width = terminal().width;
  return width > 0 ? std::clamp<size_t>(static_cast<size_t>(width), 40, kTextWidth) : kTextWidth;
}

struct Line {
  std::string left;
  std::string right;
};

std::string aligned(const std::vector<Line>& lines) {
  constexpr size_t kLeftMax = 30;
  size_t left = 0;
  for (const Line& line : lines) left = std::max(left, std::min(line.left.size(), kLeftMax));
  std::string out;
  for (const Line& line : lines) {
    const size_t indent = left + 4;
    std::string text = "  " + line.left;
    text += text.size() + 2 > indent ? "\n" + std::string(indent, ' ') : std::string(indent - text.size(), ' ');
    text += wrapped(line.right, indent, width_now());
    out += text.substr(0, text.find_last_not_of(" \n") + 1) + "\n";
  }
  return out;
}

std::vector<Line> lines_of(std::span<const Parameter> parameters, bool are_options) {
  std::vector<Line> lines;
  for (const Parameter& parameter : parameters) {
    if (parameter.is_option() == are_options) lines.push_back({written(parameter), parameter.meaning});
  }
  return lines;
}

// "word  explanation" in each line.
std::vector<Line> split_lines(const std::string& text) {
  std::vector<Line> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    const size_t gap = std::min(line.find("  "), line.size());
    const size_t right = std::min(line.find_first_not_of(' ', gap), line.size());
    lines.push_back({line.substr(0, gap), line.substr(right)});
    begin = end + 1;
  }
  return lines;
}

int run_help(const Arguments& arguments, const Common&) {
  if (!arguments.has("COMMAND")) {
    print(overview());
    return kDone;
  }
  const std::string name = arguments.text("COMMAND");
  const Command* const command = find_command(name);
  if (command == nullptr)
    throw Failure{kMisuse, "no command " + in_quotes(name), "", did_you_mean(name, command_names())};
  print(help_of(*command));
  return kDone;
}

}  // namespace

std::string written(const Parameter& parameter) {
  if (!parameter.is_option()) return parameter.name;
  const std::string letter = parameter.letter.empty() ? "" : parameter.letter + ", ";
  return letter + parameter.name + (parameter.value.empty() ? "" : " " + parameter.value);
}

std::string exit_codes() {
  return "0  done\n"
         "1  failed, or refused by the pool\n"
         "2  wrong use: an unknown command, option or value\n"
         "3  no pool can be seen, or none has this name";
}

std::string environment() {
  return "TIDEPOOL_DIR     directory of the pools' files; else /run/tidepool if it exists, else "
         "$XDG_RUNTIME_DIR/tidepool, else /dev/shm/tidepool-<uid>\n"
         "NO_COLOR         if set, no colours";
}

std::string usage_of(const Command& command) {
  std::string usage = "tidepool " + command.name;
  const bool has_options = std::any_of(command.parameters.begin(), command.parameters.end(),
                                       [](const Parameter& p) { return p.is_option(); });
  if (has_options && command.takes_rest) usage += " [options]";
  for (const Parameter& parameter : command.parameters) {
    if (parameter.is_option()) continue;
    const std::string name = parameter.name + (parameter.is_repeated ? "..." : "");
    usage += parameter.is_required ? " " + name : " [" + name + "]";
  }
  return usage + (has_options && !command.takes_rest ? " [options]" : "");
}

std::string overview() {
  std::string out =
      "usage: tidepool COMMAND [arguments] [options]\n\nShows and steers the connection pools of this host.\n";
  for (const Group& group : groups()) {
    std::vector<Line> lines;
    for (const Command& command : program().commands) {
      if (!command.is_hidden && command.group == group.name) lines.push_back({command.name, command.meaning});
    }
    if (!lines.empty()) out += fmt::format("\n{}:\n{}", group.meaning, aligned(lines));
  }
  out += "\nOptions of every command:\n" + aligned(lines_of(common_parameters(), true));
  out += "\nExit codes:\n" + aligned(split_lines(exit_codes()));
  out += "\nEnvironment:\n" + aligned(split_lines(environment()));
  out += "\nExamples:\n" + aligned({{"tidepool status", "pools and their connections"},
                                    {"tidepool help scale", "all about a command"},
                                    {"tidepool doctor", "why a pool is not shown"}});
  return out;
}

std::string help_of(const Command& command) {
  std::string out = fmt::format("usage: {}\n\n{}\n", usage_of(command), command.meaning);
  if (!command.text.empty()) out += "\n" + wrapped(command.text, 0, width_now()) + "\n";
  const auto arguments = lines_of(command.parameters, false);
  const auto options = lines_of(command.parameters, true);
  if (!arguments.empty()) out += "\nArguments:\n" + aligned(arguments);
  if (!options.empty()) out += "\nOptions:\n" + aligned(options);
  out += "\nOptions of every command:\n" + aligned(lines_of(common_parameters(), true));
  std::vector<Line> examples;
  for (const Example& example : command.examples) examples.push_back({example.line, example.meaning});
  if (!examples.empty()) out += "\nExamples:\n" + aligned(examples);
  const std::string codes = command.exit_codes.empty() ? exit_codes() : command.exit_codes;
  out += "\nExit codes:\n" + aligned(split_lines(codes));
  return out;
}

void add_help(Program& program) {
  program.add({"help",
               "help",
               "Explain a command.",
               {{"COMMAND", "", "The command; without it all are listed.", false, false, Completes::command}},
               {{"tidepool help doctor", "all about one command"}},
               run_help});
}

}  // namespace tide::cli
