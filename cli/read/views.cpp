// The commands that show a relation: one row for each.
#include <fmt/format.h>

#include "commands.hpp"
#include "read/view.hpp"
#include "text/print.hpp"

namespace tide::cli {

namespace {

struct ViewCommand {
  const char* name;
  View view;
  const char* meaning;
  std::vector<Example> examples;
};

const std::vector<ViewCommand>& view_commands() {
  static const std::vector<ViewCommand> kAll = {
      {"status",
       {"pools",
        {"pool", "state", "size", "in_use", "idle", "waiting", "limit_size", "utilization", "health", "pid", "app",
         "size_source", "age_ms", "instance_id"}},
       "Show the pools of this host and their connections.",
       {{"tidepool status", "all pools"}, {"tidepool status shop --json", "one pool, for a program"}}},
      {"health",
       {"health", {"pool", "status", "issues", "recommendations"}},
       "Show the health of each pool, its problems and what to do.",
       {{"tidepool health shop", "one pool"}}},
      {"leases",
       {"leases", {"pool", "lease_id", "tag", "age_ms", "idle_ms", "overdue", "conn_id", "thread_id"}, "-age_ms"},
       "Show who holds connections, the oldest lease first.",
       {{"tidepool leases", "all leases"}, {"tidepool leases shop --last 5", "the five youngest"}}},
      {"waiters",
       {"waiters", {"pool", "ticket", "tag", "waited_ms", "priority", "deadline"}, "-waited_ms"},
       "Show the callers that wait for a connection.",
       {{"tidepool waiters shop", "one pool"}}},
      {"alerts",
       {"alerts",
        {"pool", "severity", "state", "rule", "message", "advice", "since", "acked_by", "alert_id"},
        {},
        {"alert_id", "state"}},
       "Show alerts: what is wrong, and what to do.",
       {{"tidepool alerts", "all alerts"}, {"tidepool alerts --follow", "as they come"}}},
      {"insights",
       {"insights", {"pool", "severity", "subject", "finding", "advice", "option_name", "option_value"}},
       "Show which options to change, and why.",
       {{"tidepool insights shop", "one pool"}}},
      {"tags",
       {"tags",
        {"pool", "tag", "in_use", "waiting", "held_ms_total", "waited_ms_total", "longest_ms", "last_seen"},
        "-held_ms_total"},
       "Show who uses the connections, by the tag of the lease.",
       {{"tidepool tags shop", "one pool"}}},
      {"events",
       {"events", {"at", "pool", "severity", "kind", "message"}, {}, {"seq"}},
       "Show what happened, oldest first.",
       {{"tidepool events shop --since 1h", "the last hour"}, {"tidepool events --follow", "as they come"}}},
      {"settings",
       {"settings", {"pool", "name", "value", "unit", "source", "applies", "default_value"}},
       "Show the options of each pool and where their values come from.",
       {{"tidepool settings shop", "all options of a pool"}}},
      {"commands",
       {"commands",
        {"pool", "command_id", "issued_at", "actor", "verb", "arguments", "status", "message"},
        {},
        {"command_id", "status"}},
       "Show the commands that pools received, and their results.",
       {{"tidepool commands shop", "the last commands"}}},
  };
  return kAll;
}

Command history() {
  static const View kView{"pool_history",
                          {"at", "pool", "size", "in_use_avg", "in_use_max", "waiting_max", "acquires", "timeouts",
                           "errors", "wait_p99_ms", "limit_size", "health"}};
  struct Resolution {
    const char* word;
    double ms;
  };
  static constexpr Resolution kResolutions[] = {{"1s", 1000}, {"1min", 60'000}, {"1h", 3'600'000}};
  Command command{"history", "read", "Show how a pool behaved over time.", view_parameters(kView), {}, {}};
  std::vector<std::string> words;
  for (const Resolution& each : kResolutions) words.emplace_back(each.word);
  command.parameters.push_back({"--resolution", "INTERVAL",
                                "Length of the intervals: 1s (kept for an hour), 1min (for a day) or 1h (for 90 days); "
                                "default 1min.",
                                false, false, Completes::words, words});
  command.examples = {{"tidepool history shop --since 10min --resolution 1s", "ten minutes, second by second"}};
  command.run = [](const Arguments& arguments, const Common& common) {
    const std::string wanted = arguments.text("--resolution", "1min");
    double ms = 0;
    for (const Resolution& each : kResolutions) {
      if (wanted == each.word) ms = each.ms;
    }
    return run_view(kView, arguments, common,
                    [ms](const Reading& reading, size_t row) { return reading.cell(row, "resolution_ms").real == ms; });
  };
  return command;
}

Command queries() {
  static const View kQueries{
      "queries", {"pool", "calls", "errors", "total_ms", "p50_ms", "p99_ms", "max_ms", "rows", "query"}, "-total_ms"};
  static const View kSlow{"slow_queries", {"at", "pool", "duration_ms", "wait_ms", "rows", "tag", "query"}};
  static const View kFailed_{"failed_queries", {"at", "pool", "sqlstate", "message", "tag", "query"}};
  Command command{
      "queries", "read", "Show statements and their durations; or the slow or failed ones.", view_parameters(kQueries),
      {},        {}};
  command.parameters.push_back({"--slow", "", "The log of slow statements."});
  command.parameters.push_back({"--failed", "", "The log of failed statements."});
  command.examples = {{"tidepool queries shop", "the statements that took the most time"},
                      {"tidepool queries --slow --since 1h", "slow ones of the last hour"}};
  command.run = [](const Arguments& arguments, const Common& common) {
    if (arguments.has("--slow") && arguments.has("--failed"))
      throw Failure{kMisuse, "--slow and --failed exclude each other"};
    return run_view(arguments.has("--slow")     ? kSlow
                    : arguments.has("--failed") ? kFailed_
                                                : kQueries,
                    arguments, common);
  };
  return command;
}

}  // namespace

void add_views(Program& program) {
  for (const ViewCommand& each : view_commands()) {
    program.add({each.name, "read", each.meaning, view_parameters(each.view), each.examples,
                 [view = each.view](const Arguments& arguments, const Common& common) {
                   return run_view(view, arguments, common);
                 }});
    if (std::string_view(each.name) == "tags") {
      program.add(queries());
      program.add(history());
    }
  }
}

void add_show(Program& program) {
  Command command{"show", "read", "Show any relation, with all columns.", view_parameters({"events", {}}), {}, {}};
  command.parameters.insert(command.parameters.begin(), {"RELATION", "", "The relation; without it they are listed.",
                                                         false, false, Completes::relation});
  command.examples = {{"tidepool show", "lists the relations"},
                      {"tidepool show pool_stats shop", "the counters of a pool"},
                      {"tidepool show segments", "the files of pools, also unreadable ones"}};
  command.run = [](const Arguments& arguments, const Common& common) {
    if (!arguments.has("RELATION")) {
      const View kList{"help", {"relation", "meaning"}};
      return run_view(kList, arguments, common,
                      [](const Reading& reading, size_t row) { return reading.cell(row, "column_name").is_null; });
    }
    return run_view({arguments.text("RELATION"), {}}, arguments, common);
  };
  program.add(std::move(command));
}

}  // namespace tide::cli
