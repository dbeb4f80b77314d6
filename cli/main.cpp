// tidepool: shows and steers the pools of this host in a terminal.
#include <clocale>
#include <csignal>

#include "line.hpp"
#include "text/print.hpp"

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");   // the width of characters
  std::signal(SIGPIPE, SIG_DFL);  // a reader such as `head` that has seen enough ends the command quietly
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const int exit_code = tide::cli::run_line(words);
  return tide::cli::is_output_complete() ? exit_code : tide::cli::kFailed;
}
