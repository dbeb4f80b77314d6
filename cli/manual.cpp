// The manual page tidepool(1), made of the descriptions of the commands.
#include <tidepool/tidepool.h>

#include <fmt/format.h>

#include "commands.hpp"
#include "help.hpp"
#include "text/print.hpp"

namespace tide::cli {

namespace {

// Text that troff leaves alone: no backslashes, no dot or quote that begins a line; dashes stay as they are typed.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += "\\&";
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string block(const std::string& text) { return ".nf\n" + plain(text) + "\n.fi\n"; }

std::string list_of(std::span<const Parameter> parameters) {
  std::string out;
  for (const Parameter& parameter : parameters)
    out += fmt::format(".TP\n\\fB{}\\fR\n{}\n", plain(written(parameter)), plain(parameter.meaning));
  return out;
}

std::string section_of(const Command& command) {
  std::string out = fmt::format(".SS {}\n{}\n", plain(usage_of(command)), plain(command.meaning));
  if (!command.text.empty()) {
    const bool has_lines = command.text.find('\n') != std::string::npos;
    out += ".PP\n" + (has_lines ? block(command.text) : plain(command.text) + "\n");
  }
  out += list_of(command.parameters);
  for (const Example& example : command.examples) {
    out += fmt::format(".PP\nExample{}:\n.RS\n{}.RE\n", example.meaning.empty() ? "" : ", " + plain(example.meaning),
                       block(example.line));
  }
  if (!command.exit_codes.empty()) out += ".PP\nExit codes:\n.RS\n" + block(command.exit_codes) + ".RE\n";
  return out;
}

int run_manual(const Arguments&, const Common&) {
  std::string out = fmt::format(".TH TIDEPOOL 1 \"\" \"tidepool {}\" \"User Commands\"\n", tide_version());
  out += ".SH NAME\ntidepool \\- shows and steers the connection pools of this host\n";
  out += ".SH SYNOPSIS\n.B tidepool\n.I COMMAND\n[arguments] [options]\n";
  out +=
      ".SH DESCRIPTION\nPools publish their state in files that are protected by permissions. tidepool reads these "
      "files "
      "and sends commands to pools through the C API, like every other program.\n";
  out += ".SH OPTIONS OF EVERY COMMAND\n" + list_of(common_parameters());
  for (const Group& group : groups()) {
    std::string commands;
    for (const Command& command : program().commands) {
      if (!command.is_hidden && command.group == group.name) commands += section_of(command);
    }
    if (!commands.empty()) out += fmt::format(".SH \"COMMANDS: {}\"\n{}", plain(std::string(group.meaning)), commands);
  }
  out += ".SH EXIT STATUS\n" + block(exit_codes()) + ".PP\ncheck and doctor have their own.\n";
  out += ".SH ENVIRONMENT\n" + block(environment());
  print(out);
  return kDone;
}

}  // namespace

void add_manual(Program& program) {
  Command command{"__manual", "help", "Print the manual page, for man.", {}, {}, run_manual};
  command.is_hidden = true;
  program.add(std::move(command));
}

}  // namespace tide::cli
