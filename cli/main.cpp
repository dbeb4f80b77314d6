// tidepool: shows and steers the pools of this host in a terminal.
#include <functional>

#include <tidepool/tidepool.h>

#include "command.hpp"

int main(int argc, char** argv) {
  using namespace tide::cli;
  CLI::App app("Shows and steers the connection pools of this host.", "tidepool");
  app.set_version_flag("--version", std::string("tidepool ") + tide_version());
  Common common;
  std::function<int()> run;
  [[maybe_unused]] Program program{app, common, run};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kMisuse;
  }
  return run ? run() : kMisuse;
}
