// export: the state of the pools for other programs.
#include <tidepool/tidepool.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "commands.hpp"
#include "line.hpp"
#include "read/reading.hpp"
#include "text/print.hpp"

namespace tide::cli {

namespace {

[[noreturn]] void cannot_write(const std::string& path) {
  throw Failure{kFailed, fmt::format("cannot write {}: {}", in_quotes(path), std::strerror(errno))};
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// Readers see the old file or the whole new one.
void replace_file(const std::string& path, std::string_view text) {
  std::string draft = path + ".XXXXXX";
  const int fd = ::mkstemp(draft.data());
  if (fd < 0) cannot_write(path);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  const bool is_written = write_all(fd, text) && ::fchmod(fd, 0666 & ~mask) == 0 && ::fsync(fd) == 0;
  const int problem = errno;
  ::close(fd);
  if (is_written && ::rename(draft.c_str(), path.c_str()) == 0) return;
  if (!is_written) errno = problem;
  const int reason = errno;
  ::unlink(draft.c_str());
  errno = reason;
  cannot_write(path);
}

int run_export(const Arguments& arguments, const Common& common) {
  const std::string pool = arguments.text("POOL");
  tide_export_options options = TIDE_EXPORT_OPTIONS_INIT;
  options.directory = common.directory.empty() ? nullptr : common.directory.c_str();
  options.pool = pool.c_str();
  options.instance_id = common.instance.c_str();
  if (arguments.has("--since")) options.since_ms = -milliseconds_of(arguments.text("--since"), "--since");
  if (arguments.has("--masked")) options.flags |= TIDE_EXPORT_MASKED;
  if (arguments.has("--legacy-names")) options.flags |= TIDE_EXPORT_LEGACY_NAMES;
  if (arguments.has("--with-max")) options.flags |= TIDE_EXPORT_CONNECTION_MAX;
  if (!pool.empty() || !common.instance.empty()) require_pools(which_of(common, pool));
  char* text = nullptr;
  size_t length = 0;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_export_with(arguments.text("FORMAT").c_str(), &options, &text, &length, &error) != TIDE_OK) fail_with(error);
  const std::unique_ptr<char, decltype(&tide_free)> owned(text, tide_free);
  // Monitoring wants an answer also where no pool runs; a person wants to know why it is empty.
  if (read("pools", which_of(common, pool)).rows.empty()) {
    if (arguments.has("--output")) replace_file(arguments.text("--output"), {text, length});
    require_pools(which_of(common, pool));
  }
  if (arguments.has("--output")) {
    replace_file(arguments.text("--output"), {text, length});
  } else {
    print({text, length});
    if (length > 0 && text[length - 1] != '\n' && terminal().is_terminal) print("\n");
  }
  warn_of_unreadable(which_of(common, pool));
  return kDone;
}

}  // namespace

void add_export(Program& program) {
  Command command{"export", "monitor", "Write the state of the pools in a format for another program.",
                  {},       {},        run_export};
  Parameter format{"FORMAT", "", "The format.", true, false, Completes::words, {}};
  command.text = "Formats:";
  for (int i = 0; const tide_format* each = tide_format_at(i); ++i) {
    format.words.emplace_back(each->name);
    command.text += fmt::format("\n  {:<12} {}", each->name, each->meaning);
  }
  command.parameters = {
      format,
      {"POOL", "", "Only pools of this name.", false, false, Completes::pool},
      {"--since", "DURATION", "With the history of the last DURATION, such as 1h; not every format has times."},
      {"--legacy-names", "", "Metrics also under the names of older monitoring."},
      {"--with-max", "", "Also db.client.connection.max, the former name of .limit."},
      {"--masked", "", "Without tags, targets, users and messages."},
      {"--output",
       "FILE",
       "Write this file instead of the standard output, atomically.",
       false,
       false,
       Completes::file,
       {},
       "-o"},
  };
  command.examples = {{"tidepool export prometheus", "all pools, for Prometheus"},
                      {"tidepool export json shop --since 1h --output shop.json", "one pool with its last hour"}};
  program.add(std::move(command));
}

}  // namespace tide::cli
