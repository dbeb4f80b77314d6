// watch: repeats a command.
#include <fmt/format.h>

#include "commands.hpp"
#include "line.hpp"
#include "read/view.hpp"
#include "text/print.hpp"

namespace tide::cli {

namespace {

constexpr std::string_view kHome = "\x1b[H";    // to the upper left corner
constexpr std::string_view kClear = "\x1b[2J";  // the screen

int run_watch(const Arguments& arguments, const Common& common) {
  const std::vector<std::string> words = arguments.all("COMMAND");
  if (words.empty()) throw Failure{kMisuse, "COMMAND is missing", "usage: tidepool watch COMMAND...", ""};
  const Command* const repeated = find_command(words.front());
  if (repeated == nullptr)
    throw Failure{kMisuse, "no command " + in_quotes(words.front()), "", did_you_mean(words.front(), command_names())};
  if (repeated->group == "steer" || repeated->name == "watch")
    throw Failure{kMisuse, fmt::format("{} is not repeated", repeated->name),
                  "accepted: commands that only show something"};
  const int64_t interval = milliseconds_of(arguments.text("--interval", "1s"), "--interval");
  const auto count = static_cast<int64_t>(number_of(arguments.text("--count", "0"), "--count", 0, 1e9));
  if (interval < 100) throw Failure{kMisuse, "--interval is too short", "accepted: 100ms or longer"};
  int exit_code = kDone;
  for (int64_t look = 0; count == 0 || look < count; ++look) {
    if (look > 0 && !pause_ms(interval)) break;
    if (terminal().is_terminal) {
      print(kHome);
      print(kClear);
    }
    exit_code = run_line(words, common);
    if (exit_code == kMisuse || !is_output_complete()) break;  // repeating it changes nothing
  }
  return exit_code;
}

}  // namespace

void add_watch(Program& program) {
  Command command{
      "watch",
      "read",
      "Repeat a command until it is interrupted.",
      {{"COMMAND", "", "The command with its arguments.", true, true, Completes::command},
       {"--interval", "DURATION", "How often; default 1s."},
       {"--count", "N", "End after N times."}},
      {{"tidepool watch status", "every second"}, {"tidepool watch --interval 5s leases shop", "every five seconds"}},
      run_watch};
  command.text =
      "A terminal is cleared each time. In a pipe the outputs follow each other. For new events or alerts only, as "
      "they "
      "come, use events --follow or alerts --follow. The exit code is that of the last repetition.";
  command.takes_rest = true;
  program.add(std::move(command));
}

}  // namespace tide::cli
