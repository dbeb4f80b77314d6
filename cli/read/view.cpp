#include "read/view.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "commands.hpp"
#include "line.hpp"
#include "text/print.hpp"
#include "text/table.hpp"

namespace tide::cli {
namespace {

constexpr int kFollowedFirst = 10;
constexpr double kRowsMax = 1e9;

std::vector<std::string> column_names(const tide_relation& relation) {
  std::vector<std::string> names;
  for (int i = 0; i < relation.ncolumns; ++i) names.emplace_back(relation.columns[i].name);
  return names;
}

// The first column that tells when the row happened; nullptr: it has none.
const char* time_of(const tide_relation& relation) {
  for (int i = 0; i < relation.ncolumns; ++i) {
    const std::string_view name = relation.columns[i].name;
    if (relation.columns[i].type == TIDE_TIME && (name == "at" || name == "issued_at" || name == "last_seen"))
      return relation.columns[i].name;
  }
  return nullptr;
}

bool has_pools(const tide_relation& relation) {
  for (int i = 0; i < relation.ncolumns; ++i) {
    if (std::string_view(relation.columns[i].name) == "instance_id") return true;
  }
  return false;
}

int place_of(const Reading& reading, const std::string& column) {
  const int place = reading.column(column);
  if (place >= 0) return place;
  const std::vector<std::string> names = column_names(*reading.relation);
  throw Failure{kMisuse, fmt::format("no column {} in {}", in_quotes(column), reading.relation->name),
                fmt::format("columns: {}", fmt::join(names, ", ")), did_you_mean(column, names)};
}

std::vector<int> all_columns(const Reading& reading) {
  std::vector<int> places(static_cast<size_t>(reading.relation->ncolumns));
  std::iota(places.begin(), places.end(), 0);
  return places;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) parts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<int> columns_of(const Reading& reading, const View& view, const Arguments& arguments,
                            const Common& common) {
  std::vector<std::string> names = view.columns;
  if (arguments.has("--columns")) {
    names = split(arguments.text("--columns"));
  } else if (common.is_json || arguments.has("--all") || names.empty()) {
    return all_columns(reading);
  }
  std::vector<int> places;
  for (const std::string& name : names) places.push_back(place_of(reading, name));
  return places;
}

bool is_less(const Cell& a, const Cell& b, int32_t type) {
  if (a.is_null || b.is_null) return a.is_null && !b.is_null;
  if (type == TIDE_DOUBLE) return a.real < b.real;
  if (type == TIDE_TEXT || type == TIDE_JSON) return a.text < b.text;
  return a.integer < b.integer;
}

void sort_rows(Reading& reading, std::string by) {
  if (by.empty()) return;
  const bool is_descending = by.starts_with("-");
  if (is_descending) by.erase(0, 1);
  const auto place = static_cast<size_t>(place_of(reading, by));
  const int32_t type = reading.relation->columns[place].type;
  std::stable_sort(reading.rows.begin(), reading.rows.end(), [&](const auto& a, const auto& b) {
    return is_descending ? is_less(b[place], a[place], type) : is_less(a[place], b[place], type);
  });
}

// The time of the library, because the rows have times of the same clock.
int64_t now_micros(const Which& which) {
  const Reading pools = read("pools", {which.directory, "", ""});
  int64_t now = 0;
  for (size_t row = 0; row < pools.rows.size(); ++row) now = std::max(now, pools.cell(row, "sampled_at").integer);
  return now;
}

void keep_rows(Reading& reading, const Keeps& keeps) {
  if (!keeps) return;
  Reading kept{reading.relation, {}};
  for (size_t row = 0; row < reading.rows.size(); ++row) {
    if (keeps(reading, row)) kept.rows.push_back(reading.rows[row]);
  }
  reading = std::move(kept);
}

void keep_since(Reading& reading, const Arguments& arguments, const Which& which) {
  if (!arguments.has("--since")) return;
  const char* const column = time_of(*reading.relation);
  if (column == nullptr)
    throw Failure{kMisuse, fmt::format("{} has no times: --since does not apply", reading.relation->name)};
  const int64_t from = now_micros(which) - 1000 * milliseconds_of(arguments.text("--since"), "--since");
  keep_rows(reading, [&](const Reading& all, size_t row) { return all.cell(row, column).integer >= from; });
}

void keep_last(Reading& reading, size_t count) {
  if (reading.rows.size() > count)
    reading.rows.erase(reading.rows.begin(), reading.rows.end() - static_cast<std::ptrdiff_t>(count));
}

Reading rows_of(const View& view, const Arguments& arguments, const Which& which, const Keeps& keeps) {
  Reading reading = read(view.relation, which);
  keep_rows(reading, keeps);
  keep_since(reading, arguments, which);
  return reading;
}

std::string note(const std::string& text, const Terminal& terminal) { return cut(text, terminal.width) + "\n"; }

void show_text(const Reading& reading, const std::vector<int>& columns, bool is_all, const Terminal& terminal) {
  if (reading.rows.empty()) {
    if (terminal.is_terminal) print(note(fmt::format("({}: no rows)", reading.relation->name), terminal));
    return;
  }
  if (is_all && is_too_wide(reading, columns, terminal)) return print(blocks_of(reading, columns, terminal));
  size_t left_out = 0;
  print(table_of(reading, columns, terminal, &left_out));
  if (left_out > 0)
    print(note(fmt::format("({} more column{}: --wide)", left_out, left_out == 1 ? "" : "s"), terminal));
}

Terminal terminal_of(const Common& common) {
  Terminal found = terminal();
  if (common.is_wide) found.width = 0;
  return found;
}

std::string without_first_line(const std::string& text) { return text.substr(text.find('\n') + 1); }

// "[\n{...}\n]\n" as lines that each are an object.
std::string json_lines(const Reading& reading, const std::vector<int>& columns) {
  std::string lines;
  for (const auto& row : reading.rows) {
    const std::string one = json_of(Reading{reading.relation, {row}}, columns);
    lines += one.substr(2, one.size() - 5) + "\n";
  }
  return lines;
}

int follow(const View& view, const Arguments& arguments, const Common& common, const Keeps& keeps) {
  const Which which = which_of(common, arguments.text("POOL"));
  const int64_t interval = milliseconds_of(arguments.text("--interval", "1s"), "--interval");
  const auto count = static_cast<int64_t>(number_of(arguments.text("--count", "0"), "--count", 0, kRowsMax));
  std::set<std::string> seen;
  bool has_heading = false;
  for (int64_t look = 0; count == 0 || look < count; ++look) {
    if (look > 0 && !pause_ms(interval)) return kDone;
    Reading reading = rows_of(view, arguments, which, keeps);
    if (look == 0) {
      // A pool that is not there yet may come.
      if (reading.rows.empty()) warn_of_unreadable(which);
    }
    std::set<std::string> present;
    Reading fresh{reading.relation, {}};
    for (size_t row = 0; row < reading.rows.size(); ++row) {
      std::string key = reading.text(row, "instance_id");
      for (const std::string& column : view.key) key += '\0' + reading.text(row, column);
      if (!seen.contains(key)) fresh.rows.push_back(reading.rows[row]);
      present.insert(std::move(key));
    }
    seen = std::move(present);  // what has left the ring does not come back
    if (look == 0 && !arguments.has("--since"))
      keep_last(fresh, static_cast<size_t>(
                           number_of(arguments.text("--last", std::to_string(kFollowedFirst)), "--last", 0, kRowsMax)));
    if (fresh.rows.empty()) continue;
    const std::vector<int> columns = columns_of(fresh, view, arguments, common);
    if (common.is_json) {
      print(json_lines(fresh, columns));
    } else {
      const std::string table = table_of(fresh, columns, terminal_of(common));
      print(has_heading ? without_first_line(table) : table);
      has_heading = true;
    }
    if (!is_output_complete()) return kFailed;
  }
  return kDone;
}

}  // namespace

std::vector<Parameter> view_parameters(const View& view) {
  std::vector<Parameter> parameters = {
      {"POOL", "", "Only pools of this name.", false, false, Completes::pool},
      {"--columns", "LIST", "Only these columns, separated by commas."},
      {"--all", "", "All columns of the relation."},
      {"--sort", "COLUMN", "Order of the rows; with - in front the largest first."},
      {"--last", "N", "Only the last N rows."},
  };
  const tide_relation* const relation = relation_at(view.relation);
  if (relation != nullptr && time_of(*relation) != nullptr)
    parameters.push_back({"--since", "DURATION", "Only rows of the last DURATION, such as 90s or 1h."});
  if (!view.key.empty()) {
    parameters.push_back({"--follow", "", "Do not end: print new rows as they come."});
    parameters.push_back({"--interval", "DURATION", "How often to look for new rows; default 1s."});
    parameters.push_back({"--count", "N", "With --follow: end after looking N times."});
  }
  return parameters;
}

int run_view(const View& view, const Arguments& arguments, const Common& common, const Keeps& keeps) {
  if (arguments.has("--follow")) return follow(view, arguments, common, keeps);
  const Which which = which_of(common, arguments.text("POOL"));
  Reading reading = rows_of(view, arguments, which, keeps);
  sort_rows(reading, arguments.text("--sort", view.sort));
  if (arguments.has("--last"))
    keep_last(reading, static_cast<size_t>(number_of(arguments.text("--last"), "--last", 0, kRowsMax)));
  const std::vector<int> columns = columns_of(reading, view, arguments, common);
  if (common.is_json) print(json_of(reading, columns));
  if (has_pools(*reading.relation) && view.relation != "segments") {
    if (reading.rows.empty()) require_pools(which);
    if (which.pool.empty() && which.instance.empty()) warn_of_unreadable(which);
  }
  if (!common.is_json) show_text(reading, columns, view.columns.empty() || arguments.has("--all"), terminal_of(common));
  return kDone;
}

bool pause_ms(int64_t ms) {
  // A pipe whose reader has gone reports an error.
  pollfd output{STDOUT_FILENO, 0, 0};
  const int found = ::poll(&output, 1, static_cast<int>(std::min<int64_t>(ms, 86'400'000)));
  return found <= 0 || (output.revents & (POLLERR | POLLNVAL)) == 0;
}

}  // namespace tide::cli
