// record: the flight recorder.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "clock.hpp"
#include "commands.hpp"
#include "line.hpp"
#include "record/recording.hpp"
#include "record/sampler.hpp"
#include "text/json.hpp"
#include "text/print.hpp"

namespace tide::cli::record {
namespace {

constexpr int64_t kMillisecond_ns = 1'000'000;
constexpr int64_t kSlow_ns = 10'000'000'000;  // between readings of events and insights
constexpr int64_t kSync_ns = 10'000'000'000;
constexpr const char* kDefaultFile = "tidepool.rec";

// Waits for a signal that ends the program, at most until a time. It is not delivered otherwise.
class Ending {
 public:
  Ending() {
    sigemptyset(&signals_);
    for (const int one : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, one);
    sigprocmask(SIG_BLOCK, &signals_, &before_);
  }
  ~Ending() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

  // True: there was one.
  bool wait_until(int64_t mono_ns) const {
    const int64_t left_ns = std::max<int64_t>(0, mono_ns - monotonic_ns_now());
    const timespec timeout{static_cast<time_t>(left_ns / 1'000'000'000), static_cast<long>(left_ns % 1'000'000'000)};
    return sigtimedwait(&signals_, nullptr, &timeout) > 0;
  }

 private:
  sigset_t signals_{};
  sigset_t before_{};
};

// Frames one after the other, each with the events since the one before.
class Recorder {
 public:
  Recorder(Scope scope, int64_t history_s) : scope_(std::move(scope)), history_s_(history_s) {}

  Frame next(bool is_last) {
    const bool is_first = frames_++ == 0;
    Frame frame = is_first ? complete_frame(scope_, history_s_) : live_frame();
    const bool is_slow = is_first || is_last || frame.mono_ns - slow_ns_ >= kSlow_ns;
    if (is_slow && !is_first) {
      insights_ = read_table("insights", scope_);
      frame.tables.push_back(read_table("events", scope_));
    }
    if (is_slow) slow_ns_ = frame.mono_ns;
    for (Table& table : frame.tables) {
      if (table.relation == "events") keep_new(table);
      if (table.relation == "insights" && is_first) insights_ = table;
    }
    if (!is_first && !insights_.columns.empty()) frame.tables.push_back(insights_);
    return frame;
  }

 private:
  Frame live_frame() const {
    Frame frame = empty_frame();
    for (const char* relation : kLiveRelations) frame.tables.push_back(read_table(relation, scope_));
    return frame;
  }

  void keep_new(Table& events) {
    std::vector<std::vector<Value>> kept;
    for (size_t i = 0; i < events.rows.size(); ++i) {
      const RowView row(events, i);
      int64_t& last = last_event_[row.text("instance_id")];
      const int64_t number = row.whole("seq").value_or(0);
      if (number <= last) continue;
      last = number;
      kept.push_back(std::move(events.rows[i]));
    }
    events.rows = std::move(kept);
  }

  const Scope scope_;
  const int64_t history_s_;
  int64_t frames_ = 0;
  int64_t slow_ns_ = 0;
  Table insights_;
  std::map<std::string, int64_t> last_event_;  // number of the last recorded event, by instance
};

std::string size_text(uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} bytes", bytes);
  return bytes < 10'000'000 ? fmt::format("{:.0f} kB", static_cast<double>(bytes) / 1e3)
                            : fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

void report(const std::string& file, int64_t frames, uint64_t bytes, const Common& common) {
  if (common.is_json) {
    print(fmt::format("{{\"file\": {}, \"frames\": {}, \"bytes\": {}}}\n", json_string(file), frames, bytes));
  } else {
    print(fmt::format("{} frame{} in {} ({})\nshow it: tidepool top --replay {}\n", frames, frames == 1 ? "" : "s",
                      visible(file), size_text(bytes), visible(file)));
  }
}

// Without a pool there is nothing to take out of a segment; a recorder that waits for one is useful.
int record_last(const Scope& scope, int64_t history_s, const std::string& file, const Common& common) {
  const Frame frame = complete_frame(scope, history_s);
  if (frame.tables.front().rows.empty()) {
    const std::string where = scope.directory.empty() ? "the default directory" : in_quotes(scope.directory);
    throw Failure{kNoPool, "no such pool is visible, so there is nothing to record", "Looked in " + where + ".",
                  "tidepool doctor says where pools are looked for."};
  }
  const uint64_t bytes = write_recording(file, {frame});
  report(file, 1, bytes, common);
  return kDone;
}

int record_live(const Scope& scope, const Bounds& bounds, int64_t interval_ns, int64_t length_ns,
                const std::string& file, const Common& common) {
  const Ending ending;
  RecordingWriter writer(file, bounds);
  if (writer.kept_old()) print_warning(in_quotes(file) + " existed; it is now " + in_quotes(file + ".old"), "");
  Recorder recorder(scope, bounds.keep_ns / 1'000'000'000);
  const int64_t begin_ns = monotonic_ns_now();
  int64_t next_ns = begin_ns;
  int64_t synced_ns = begin_ns;
  for (bool is_over = false; !is_over;) {
    is_over = ending.wait_until(next_ns);
    const int64_t now_ns = monotonic_ns_now();
    is_over = is_over || (length_ns > 0 && now_ns - begin_ns >= length_ns);
    writer.add(recorder.next(is_over));
    if (now_ns - synced_ns >= kSync_ns || is_over) {
      writer.sync();
      synced_ns = now_ns;
    }
    // A reading that took long is not made up for.
    next_ns = std::max(next_ns + interval_ns, now_ns + interval_ns / 2);
  }
  report(file, writer.frames(), writer.bytes(), common);
  return kDone;
}

int64_t duration_of(const Arguments& arguments, const std::string& name, const std::string& otherwise, int64_t least_ms,
                    int64_t most_ms, const std::string& accepted) {
  const std::string text = arguments.text(name, otherwise);
  const int64_t ms = milliseconds_of(text, name);
  if (ms < least_ms || ms > most_ms) {
    throw Failure{kMisuse, "invalid " + name + " " + in_quotes(text), "Accepted: " + accepted + ".", ""};
  }
  return ms;
}

int run_record(const Arguments& arguments, const Common& common) {
  constexpr int64_t kHour_ms = 3'600'000;
  constexpr int64_t kDay_ms = 24 * kHour_ms;
  const Scope scope{common.directory, arguments.all("POOL"), common.instance};
  const std::string file = arguments.text("--output", kDefaultFile);
  const bool is_last = arguments.has("--last");
  const int64_t keep_ms = duration_of(arguments, "--keep", "1h", 1000, kDay_ms, "1s to 24h");
  if (is_last) {
    if (arguments.has("--for") || arguments.has("--interval")) {
      throw Failure{kMisuse, "--last does not go together with --for and --interval",
                    "It takes what the pools have kept, and ends.", "Use --keep to say how far back."};
    }
    return record_last(scope, std::min(keep_ms, kHour_ms) / 1000, file, common);
  }
  const int64_t interval_ms = duration_of(arguments, "--interval", "1s", 100, kHour_ms, "100ms to 1h");
  const int64_t length_ms = duration_of(arguments, "--for", "0s", 0, 365 * kDay_ms, "up to 365d");
  return record_live(scope, {keep_ms * kMillisecond_ns, kRecordingBytesMax}, interval_ms * kMillisecond_ns,
                     length_ms * kMillisecond_ns, file, common);
}

}  // namespace
}  // namespace tide::cli::record

namespace tide::cli {

void add_record(Program& program) {
  Command command;
  command.name = "record";
  command.group = "monitor";
  command.meaning = "Record what the pools do, or save the last hour of it, for tidepool top --replay.";
  command.parameters = {
      {"POOL", "", "Only pools of these names.", false, true, Completes::pool},
      {"--output", "FILE", "The recording; default tidepool.rec.", false, false, Completes::file},
      {"--interval", "DURATION", "How often, 100ms to 1h; default 1s."},
      {"--for", "DURATION", "How long; default until SIGINT or SIGTERM."},
      {"--keep", "DURATION", "How much is kept, 1s to 24h; with --last how far back, up to 1h; default 1h."},
      {"--last", "", "Record nothing: save what the pools have kept of the last hour, also dead ones."},
  };
  command.examples = {{"tidepool record --output /var/tmp/shop.rec shop", "until Ctrl-C; holds at least the last hour"},
                      {"tidepool record --last", "what happened? also after the program has died"},
                      {"tidepool record --for 5min --interval 200ms", "five minutes in detail"}};
  command.parameters[1].letter = "-o";
  command.run = record::run_record;
  command.text =
      "A recording stays small: after the time to keep, or 64 MB, FILE becomes FILE.old and a new one begins; --replay "
      "FILE shows "
      "both. An existing recording becomes FILE.old, other files are not overwritten (with --last a recording is "
      "replaced). "
      "Recordings contain what the relations show: tags, statements without literals and error texts, but no "
      "passwords. They are "
      "created with mode 0640.";
  program.add(std::move(command));
}

}  // namespace tide::cli
