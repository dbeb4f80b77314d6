// top: the live view, and the replay of a recording.
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "clock.hpp"
#include "commands.hpp"
#include "line.hpp"
#include "live.hpp"
#include "model.hpp"
#include "orders.hpp"
#include "painter.hpp"
#include "record/recording.hpp"
#include "screen.hpp"
#include "text/print.hpp"
#include "timeline.hpp"

namespace tide::cli::top {
namespace {

constexpr int64_t kMillisecond_ns = 1'000'000;
constexpr int64_t kSegmentHistory_s = 3600;
constexpr int kWaitMax_ms = 100;  // for a key, so that answers are shown soon

bool is_utf8() { return std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0; }

bool has_screen() { return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1; }

int width_of_output() {
  if (const int width = terminal().width; width > 0) return width;
  const char* columns = std::getenv("COLUMNS");
  const int wanted = columns == nullptr ? 0 : std::atoi(columns);
  return wanted >= 1 && wanted <= 1000 ? wanted : 80;
}

Scope scope_of(const Arguments& arguments, const Common& common) {
  return {common.directory, arguments.all("POOL"), common.instance};
}

// Without the last row, which names keys.
void print_grid(const Grid& grid) {
  int last = grid.size().height - 2;
  while (last > 0 && grid.row(last - 1).empty()) --last;
  for (int y = 0; y < last; ++y) print(grid.row(y) + "\n");
}

int print_once(Model& model) {
  print_grid(paint_all(model, width_of_output(), is_utf8()));
  return model.snapshot().pools.empty() ? kNoPool : kDone;
}

// Of files that look like pools but are not shown; "": there are none.
std::string hidden_files(const Scope& scope) {
  const record::Table files = record::read_table("segments", {scope.directory, {}, ""});
  size_t hidden = 0;
  for (size_t i = 0; i < files.rows.size(); ++i) {
    const std::string status = record::RowView(files, i).text("status");
    hidden += status == "unreadable" || status == "damaged" || status == "other_version" ? 1 : 0;
  }
  if (hidden == 0) return "";
  return std::to_string(hidden) + (hidden == 1 ? " pool is" : " pools are") + " not shown: tidepool doctor says why";
}

// What the loop does besides showing and asking.
class Source {
 public:
  virtual ~Source() = default;
  // Work that keeps nobody waiting; true: there may be more.
  virtual bool work(Model& model, int64_t now_ns) = 0;
};

class LiveSource final : public Source {
 public:
  explicit LiveSource(Scope scope) : live_(scope), orders_(scope.directory) {}

  bool work(Model& model, int64_t now_ns) override {
    for (Order& order : model.take_orders()) orders_.send(std::move(order), now_ns);
    if (orders_.is_waiting()) {
      for (const Answer& answer : orders_.collect(now_ns)) {
        model.answer(answer, now_ns);
        due_ns_ = now_ns;  // what it changed is seen at once
      }
    }
    const bool shows_events = model.view() == ViewKind::events;
    if (shows_events && !showed_events_) due_ns_ = now_ns;
    showed_events_ = shows_events;
    live_.want_events(shows_events, model.scope());
    if (now_ns >= due_ns_ && !live_.is_refreshing()) {
      began_ns_ = now_ns;
      live_.refresh();
    }
    if (live_.is_refreshing()) {
      if (auto snapshot = live_.step()) {
        model.show(std::move(snapshot));
        // A host with many pools is read less often, rather than all the time.
        const int64_t took_ns = monotonic_ns_now() - began_ns_;
        due_ns_ = began_ns_ + std::max(model.interval_ns(), 4 * took_ns);
      }
      return true;
    }
    const PoolRow* selected = model.selected_pool();
    return live_.step_aside(now_ns, selected == nullptr ? "" : selected->instance_id);
  }

  // A snapshot at once, with everything.
  void fill(Model& model) {
    const auto refresh = [&] {
      live_.refresh();
      while (live_.is_refreshing()) {
        if (auto snapshot = live_.step()) model.show(std::move(snapshot));
      }
    };
    refresh();
    while (live_.step_aside(began_ns_, "")) {
    }
    refresh();
  }

 private:
  Live live_;
  Orders orders_;
  int64_t due_ns_ = 0;
  int64_t began_ns_ = 1;
  bool showed_events_ = false;
};

class ReplaySource final : public Source {
 public:
  ReplaySource(Timeline& timeline, Player& player) : timeline_(timeline), player_(player) {}

  bool work(Model& model, int64_t) override {
    if (shown_ == player_.position()) return false;
    shown_ = player_.position();
    model.show(std::make_shared<const Snapshot>(timeline_.at(*shown_)));
    return false;
  }

 private:
  Timeline& timeline_;
  Player& player_;
  std::optional<size_t> shown_;
};

int run_screen(Model& model, Source& source) {
  Screen screen(is_utf8(), terminal().has_colour);
  Size size = screen.size();
  int64_t painted_ns = 0;
  bool is_changed = true;
  while (!model.is_done() && !screen.is_over()) {
    const int64_t now_ns = monotonic_ns_now();
    is_changed |= model.tick(now_ns);
    const auto* before = &model.snapshot();
    const bool is_busy = source.work(model, now_ns);
    is_changed |= before != &model.snapshot() || !model.message().text.empty();
    if (screen.size() != size) {
      size = screen.size();
      is_changed = true;
    }
    constexpr int64_t kPaint_ns = 20 * kMillisecond_ns;
    if (is_changed && model.has_snapshot() && now_ns - painted_ns >= kPaint_ns) {
      screen.put(paint(model, size, is_utf8()), model.takes_redraw());
      painted_ns = now_ns;
      is_changed = false;
    }
    const int wait_ms = is_busy ? 0 : is_changed ? 20 : kWaitMax_ms;
    for (auto key = screen.read(wait_ms); key; key = screen.read(0)) {
      model.press(*key, monotonic_ns_now());
      painted_ns = 0;  // keys are answered at once
      is_changed = true;
      if (model.is_done()) break;
    }
  }
  return kDone;
}

std::string name_of(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

// The instance of a segment file, ".../NAME.INSTANCE.segment"; "": it is another file.
std::string instance_of(const std::string& path) {
  constexpr size_t kDigits = 32;
  const std::string name = name_of(path);
  const std::string_view ending = ".segment";
  if (!name.ends_with(ending) || name.size() < ending.size() + kDigits + 1) return "";
  const std::string instance = name.substr(name.size() - ending.size() - kDigits, kDigits);
  const bool is_instance = instance.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_instance ? instance : "";
}

// The last hour of a pool, also of one whose owner has died, as a recording.
Recording recording_of_segment(const std::string& path, const std::string& instance) {
  const size_t slash = path.find_last_of('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Frame frame = record::complete_frame({directory, {}, instance}, kSegmentHistory_s);
  if (frame.tables.front().rows.empty()) {
    throw Failure{kNoPool, "no pool can be read from " + in_quotes(path),
                  "The file does not exist, is damaged, or belongs to another user.",
                  "tidepool doctor examines the files of pools."};
  }
  return Recording::of_frames({frame});
}

int run_replay(const std::string& file, bool is_once, int64_t interval_ns) {
  const std::string instance = instance_of(file);
  Recording recording = instance.empty() ? Recording::load(file) : recording_of_segment(file, instance);
  for (const std::string& note : recording.notes()) print_warning(note, "");
  Timeline timeline(std::move(recording), name_of(file));
  Player player(timeline);
  Model model(interval_ns, &player);
  ReplaySource source(timeline, player);
  source.work(model, 0);
  return is_once ? print_once(model) : run_screen(model, source);
}

int run_top(const Arguments& arguments, const Common& common) {
  if (common.is_json) {
    throw Failure{kMisuse, "top has no --json", "It is a screen.", "Use status --json, or watch status --json."};
  }
  const int64_t interval_ms = milliseconds_of(arguments.text("--interval", "1s"), "--interval");
  if (interval_ms < 200 || interval_ms > 60'000) {
    throw Failure{kMisuse, "invalid --interval " + in_quotes(arguments.text("--interval")), "Accepted: 200ms to 60s.",
                  ""};
  }
  const bool is_once = arguments.has("--once") || !has_screen();
  if (is_once && !arguments.has("--once"))
    print_warning("this is no terminal: the screen is printed once, as with --once", "");
  const int64_t interval_ns = interval_ms * kMillisecond_ns;
  if (arguments.has("--replay")) return run_replay(arguments.text("--replay"), is_once, interval_ns);
  Model model(interval_ns);
  const Scope scope = scope_of(arguments, common);
  LiveSource source(scope);
  const std::string hidden = hidden_files(scope);
  if (!is_once) {
    if (!hidden.empty()) model.warn(hidden, monotonic_ns_now());
    return run_screen(model, source);
  }
  if (!hidden.empty()) print_warning(hidden, "");
  source.fill(model);
  return print_once(model);
}

}  // namespace
}  // namespace tide::cli::top

namespace tide::cli {

void add_top(Program& program) {
  Command command;
  command.name = "top";
  command.group = "read";
  command.meaning = "Show the pools of this host on a screen that keeps itself current, and steer them with keys.";
  command.parameters = {
      {"POOL", "", "Only pools of these names.", false, true, Completes::pool},
      {"--interval", "DURATION", "How often the screen is refreshed, 200ms to 60s; default 1s."},
      {"--once", "", "Print the screen once, as text; also where the output is no terminal."},
      {"--replay", "FILE", "Show a recording, or the last hour in the segment file of a pool, also of a dead one.",
       false, false, Completes::file},
  };
  command.examples = {{"tidepool top", "the keys are explained by ?"},
                      {"tidepool top shop --interval 500ms", "one pool, twice a second"},
                      {"tidepool top --replay tidepool.rec", "what was recorded"}};
  command.run = top::run_top;
  command.text =
      "Keys: 1 to 7 choose a view, Enter opens a pool, Esc goes back, / filters, s sorts, Space marks, S scales, b "
      "begins a "
      "burst, p pauses, K revokes leases, a acknowledges alerts, q quits. Every command is confirmed first, and its "
      "result is "
      "shown. In a recording Space plays, the arrows step, [ and ] change the speed, and g goes to a time.";
  program.add(std::move(command));
}

}  // namespace tide::cli
