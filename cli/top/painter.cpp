#include "painter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tide::cli::top {
namespace {

constexpr int kMargin = 2;   // marks of rows
constexpr int kPaneMin = 6;  // rows of the pane about a pool, with its title; less is of no use
constexpr int kNarrow = 40;  // columns from which texts around the table are not abbreviated
constexpr char32_t kBlocks[] = U" ▁▂▃▄▅▆▇█";
constexpr char kPlainBlocks[] = " .:-=+*%#";
constexpr int kHeights = 8;  // of a block

// Of the columns of a view those that fit, with their widths.
struct Placed {
  size_t column;
  int x;
  int width;
};

int widest(const Model& model, size_t column) {
  int width = 0;
  for (const Line& line : model.lines()) width = std::max(width, shown_width(line.fields[column].text));
  return width;
}

bool is_drawn(const Model& model, size_t column) {
  return !model.lines().empty() && model.lines().front().fields[column].kind != Field::Kind::text;
}

// Texts have what they need, up to a limit, before a less important column is shown.
int reserved(const Model& model, size_t column, int width) {
  constexpr int kReservedMax = 20;
  const bool is_text = about(model.table()).columns[column].grow > 0 && !is_drawn(model, column);
  return is_text ? std::max(width, std::min(widest(model, column), kReservedMax)) : width;
}

std::vector<Placed> place_columns(const Model& model, int width) {
  const View& view = about(model.table());
  std::vector<bool> is_shown(view.columns.size());
  std::vector<int> widths;
  for (size_t i = 0; i < view.columns.size(); ++i) {
    widths.push_back(width < kNarrow ? view.columns[i].width : reserved(model, i, view.columns[i].width));
  }
  int used = kMargin - 1;
  for (int importance = 1; importance <= static_cast<int>(view.columns.size()) + 2; ++importance) {
    for (size_t i = 0; i < view.columns.size(); ++i) {
      if (view.columns[i].importance != importance) continue;
      // On a narrow screen a text makes do with less.
      if (used + 1 + widths[i] > width) widths[i] = view.columns[i].width;
      const bool fits = used + 1 + widths[i] <= width || importance == 1;
      is_shown[i] = fits;
      used += fits ? 1 + widths[i] : 0;
    }
  }
  std::vector<Placed> placed;
  for (size_t i = 0; i < view.columns.size(); ++i) {
    if (is_shown[i]) placed.push_back({i, 0, widths[i]});
  }
  // What is left goes to the columns that grow, a column at a time; texts take no more than they need.
  int spare = width - used;
  std::vector<int> needed;
  for (const Placed& one : placed) needed.push_back(is_drawn(model, one.column) ? 60 : widest(model, one.column));
  for (bool is_given = true; spare > 0 && is_given;) {
    is_given = false;
    for (size_t i = 0; i < placed.size(); ++i) {
      const int share = std::min({view.columns[placed[i].column].grow, spare, needed[i] - placed[i].width});
      if (share <= 0) continue;
      placed[i].width += share;
      spare -= share;
      is_given = true;
    }
  }
  int x = kMargin;
  for (Placed& one : placed) {
    one.x = x;
    x += one.width + 1;
  }
  return placed;
}

int bounded(double columns, int width) {
  return std::isfinite(columns) ? static_cast<int>(std::clamp(columns, 0.0, static_cast<double>(width))) : 0;
}

double or_zero(std::optional<int64_t> number) { return number ? static_cast<double>(*number) : 0; }

// In use, being opened or checked, idle, and free up to the limit.
void draw_bar(Grid& grid, int x, int y, int width, const PoolRow& pool, Style style) {
  const double busy = or_zero(pool.in_use);
  const double changing = or_zero(pool.connecting) + or_zero(pool.validating);
  const double idle = or_zero(pool.idle);
  const double whole = std::max({or_zero(pool.limit_size), busy + changing + idle, 1.0});
  // Something is never shown as nothing.
  int end = bounded(std::ceil(busy / whole * width), width);
  const int ends[] = {end, end = std::max(end, bounded(std::round((busy + changing) / whole * width), width)),
                      std::max(end, bounded(std::round((busy + changing + idle) / whole * width), width))};
  for (int i = 0; i < width; ++i) {
    const size_t part = i < ends[0] ? 0 : i < ends[1] ? 1 : i < ends[2] ? 2 : 3;
    static constexpr char32_t kParts[] = {U'█', U'▓', U'░', U'·'};
    static constexpr char32_t kPlainParts[] = {'#', '+', '-', '.'};
    const Style styles[] = {style == Style::plain ? Style::good : style, Style::warning, Style::dim, Style::dim};
    grid.set(x + i, y, grid.is_utf8() ? kParts[part] : kPlainParts[part], pool.is_alive() ? styles[part] : Style::dim);
  }
}

char32_t block(const Grid& grid, size_t height) {
  return grid.is_utf8() ? kBlocks[height] : static_cast<char32_t>(kPlainBlocks[height]);
}

double highest(const std::vector<Sample>& track, bool shows_waits) {
  double most = 1;
  for (const Sample& sample : track)
    most = std::max(most, shows_waits ? sample.waiting : std::max(sample.limit, sample.in_use));
  return std::isfinite(most) ? most : 1;
}

// The last minute, however wide it is drawn: each column shows the highest value of its part. Red: callers waited.
void draw_track(Grid& grid, int x, int y, int width, int height, const PoolRow& pool, bool shows_waits) {
  constexpr size_t kSeconds = 60;
  const size_t count = std::min(kSeconds, pool.track.size());
  const std::vector<Sample> track(pool.track.end() - static_cast<std::ptrdiff_t>(count), pool.track.end());
  const double most = highest(track, shows_waits);
  const double per_column = static_cast<double>(kSeconds) / width;
  for (int i = 0; i < width; ++i) {
    // Seconds before the end that this column stands for.
    const double from = (width - i) * per_column;
    const double to = (width - i - 1) * per_column;
    double value = 0;
    bool has_waiters = false;
    bool is_known = false;
    for (size_t k = 0; k < count; ++k) {
      const auto back = static_cast<double>(count - k);  // 1: the last one
      if (back - 1 >= from || back <= to) continue;
      is_known = true;
      value = std::max(value, shows_waits ? track[k].waiting : track[k].in_use);
      has_waiters = has_waiters || track[k].waiting > 0;
    }
    const int steps = bounded(std::ceil(value / most * kHeights * height), kHeights * height);
    const Style style = has_waiters ? Style::bad : Style::good;
    for (int row = 0; row < height; ++row) {
      const int own = std::clamp(steps - row * kHeights, 0, kHeights);
      const bool is_floor = row == 0 && own == 0 && is_known;
      grid.set(x + i, y + height - 1 - row,
               is_floor ? (grid.is_utf8() ? U'▁' : U'_') : block(grid, static_cast<size_t>(own)),
               is_floor ? Style::dim : style);
    }
  }
}

void draw_field(Grid& grid, const Model& model, const Placed& place, const ViewColumn& column, const Line& line,
                int y) {
  const Field& field = line.fields[place.column];
  if (field.kind != Field::Kind::text) {
    const PoolRow* pool = model.snapshot().find_pool(line.instance_id);
    if (pool == nullptr) return;
    if (field.kind == Field::Kind::bar) return draw_bar(grid, place.x, y, place.width, *pool, field.style);
    return draw_track(grid, place.x, y, place.width, 1, *pool, model.shows_waits());
  }
  const int width = std::min(shown_width(field.text), place.width);
  grid.put(column.is_right ? place.x + place.width - width : place.x, y, field.text, field.style, place.width);
}

void draw_titles(Grid& grid, const Model& model, const std::vector<Placed>& placed, int y) {
  const View& view = about(model.table());
  for (const Placed& one : placed) {
    const ViewColumn& column = view.columns[one.column];
    std::string title(column.title);
    if (column.title == "LAST MINUTE" && model.shows_waits()) title = "WAITING, 60s";
    if (model.sorted_by() == one.column) {
      title += grid.is_utf8() ? (model.is_descending() ? "▼" : "▲") : (model.is_descending() ? "v" : "^");
    }
    const int width = shown_width(title);
    // A mark that does not fit goes into the gap before the column.
    const int x = column.is_right ? one.x + one.width - width : one.x;
    grid.put(std::max(x, kMargin - 1), y, title, Style::title, std::max(one.width, width), true);
  }
}

// The rows of the table from y to y + height - 1.
void draw_table(Grid& grid, Model& model, int y, int height) {
  if (height <= 0) return;
  const View& view = about(model.table());
  const std::vector<Placed> placed = place_columns(model, grid.size().width);
  draw_titles(grid, model, placed, y);
  const auto rows = static_cast<size_t>(std::max(0, height - 1));
  model.set_page(rows);
  if (rows == 0) return;
  if (model.lines().empty()) {
    const bool is_filtered = !model.filter().empty();
    grid.put(kMargin, y + 1,
             is_filtered ? "No " + std::string(view.of) + " with \"" + model.filter() + "\"." : view.when_empty,
             Style::dim);
    return;
  }
  const size_t top = model.cursor() < rows ? 0 : model.cursor() - rows + 1;
  for (size_t i = 0; i < rows && top + i < model.lines().size(); ++i) {
    const Line& line = model.lines()[top + i];
    const int row = y + 1 + static_cast<int>(i);
    const bool is_cursor = top + i == model.cursor();
    if (is_cursor) grid.set(0, row, '>', Style::title);
    if (model.is_marked(line)) grid.set(is_cursor ? 1 : 0, row, '*', Style::warning);
    for (const Placed& place : placed) draw_field(grid, model, place, view.columns[place.column], line, row);
    if (!is_cursor) continue;
    grid.set_reverse(0, row, grid.size().width);
    // Bars would say the opposite.
    for (const Placed& place : placed) {
      if (line.fields[place.column].kind != Field::Kind::text) grid.set_reverse(place.x, row, place.width, false);
    }
  }
}

// Where nothing can be seen: what that may mean.
void draw_no_pools(Grid& grid, const Model& model, int y) {
  const std::string& asked = model.snapshot().asked;
  const std::string lines[] = {(asked.empty() ? "No pools in " : "No pool " + asked + " in ") + model.snapshot().place,
                               "", "A pool appears here as soon as a program opens it with publish=on.",
                               "If the program uses another directory, set TIDEPOOL_DIR or --dir to it.",
                               "tidepool doctor examines this host."};
  for (const std::string& line : lines) grid.put(kMargin, y++, line, line == lines[0] ? Style::title : Style::plain);
}

struct PaneLine {
  std::string label;
  std::string text;
  Style style = Style::plain;
};

std::string of_optional(std::string_view what, const std::string& value) {
  return value.empty() || value == "-" ? "" : std::string(what) + " " + value + "  ";
}

std::vector<PaneLine> facts_of(const PoolRow& pool) {
  std::string sizes = of_optional("size", count_text(pool.size)) + of_optional("target", count_text(pool.target_size));
  if (!pool.size_source.empty()) sizes += "(" + pool.size_source + ")  ";
  sizes += of_optional("min", count_text(pool.min_size)) + of_optional("max", count_text(pool.max_size)) +
           of_optional("limit", count_text(pool.limit_size));
  if (or_zero(pool.connecting) > 0) sizes += "connecting " + count_text(pool.connecting) + "  ";
  if (pool.breaker == "open" || pool.breaker == "half_open") sizes += "breaker " + pool.breaker;
  std::string load = of_optional("acquires/s", rate_text(pool.acquires_per_s)) +
                     of_optional("queries/s", rate_text(pool.queries_per_s)) +
                     of_optional("wait p50", duration_text(pool.wait_p50_ms)) +
                     of_optional("p99", duration_text(pool.wait_p99_ms)) +
                     of_optional("query p99", duration_text(pool.query_p99_ms));
  if (pool.timeouts_per_s.value_or(0) > 0) load += "timeouts/s " + rate_text(pool.timeouts_per_s) + "  ";
  if (pool.errors_per_s.value_or(0) > 0) load += "errors/s " + rate_text(pool.errors_per_s);
  return {{"size", sizes}, {"load", load}};
}

template <typename Row>
std::vector<const Row*> rows_of(const std::vector<Row>& rows, const std::string& instance_id) {
  std::vector<const Row*> out;
  for (const Row& row : rows) {
    if (row.instance_id == instance_id) out.push_back(&row);
  }
  return out;
}

std::vector<PaneLine> alerts_of(const Snapshot& snapshot, const std::string& instance_id) {
  std::vector<PaneLine> out;
  for (const AlertRow* alert : rows_of(snapshot.alerts, instance_id)) {
    if (!alert->is_firing()) continue;
    const std::string acked = alert->acked_by.empty() ? "" : "  (acknowledged by " + alert->acked_by + ")";
    out.push_back({"alert", alert->rule + " for " + duration_text(alert->age_ms) + ": " + alert->message + acked,
                   style_of_severity(alert->severity)});
  }
  return out;
}

std::vector<PaneLine> insights_of(const Snapshot& snapshot, const std::string& instance_id) {
  std::vector<PaneLine> out;
  for (const InsightRow* insight : rows_of(snapshot.insights, instance_id)) {
    const std::string change = change_of(*insight);
    out.push_back({"insight", insight->finding + (change.empty() ? "" : "  Change: " + change),
                   style_of_severity(insight->severity)});
  }
  return out;
}

std::vector<PaneLine> leases_of(const Snapshot& snapshot, const std::string& instance_id) {
  auto leases = rows_of(snapshot.leases, instance_id);
  std::stable_sort(leases.begin(), leases.end(),
                   [](const auto* a, const auto* b) { return a->age_ms.value_or(0) > b->age_ms.value_or(0); });
  std::vector<PaneLine> out;
  for (const LeaseRow* lease : leases) {
    out.push_back({"lease",
                   fmt::format("{:>6}  {}{}", duration_text(lease->age_ms),
                               lease->tag.empty() ? "(no tag)" : lease->tag, lease->is_overdue ? "  overdue" : ""),
                   lease->is_overdue ? Style::bad : Style::plain});
  }
  return out;
}

std::vector<PaneLine> waiters_of(const Snapshot& snapshot, const std::string& instance_id) {
  auto waiters = rows_of(snapshot.waiters, instance_id);
  std::stable_sort(waiters.begin(), waiters.end(),
                   [](const auto* a, const auto* b) { return a->waited_ms.value_or(0) > b->waited_ms.value_or(0); });
  std::vector<PaneLine> out;
  for (const WaiterRow* waiter : waiters) {
    out.push_back(
        {"waiter",
         fmt::format("{:>6}  {}", duration_text(waiter->waited_ms), waiter->tag.empty() ? "(no tag)" : waiter->tag),
         Style::bad});
  }
  return out;
}

// The first lines of each part; what is left over is shared in the order of the parts.
std::vector<PaneLine> chosen(std::vector<std::vector<PaneLine>> parts, size_t rows) {
  std::vector<size_t> taken(parts.size());
  for (size_t round = 0, left = rows; left > 0; ++round) {
    bool is_taken = false;
    for (size_t i = 0; i < parts.size() && left > 0; ++i) {
      if (taken[i] > round || taken[i] >= parts[i].size()) continue;
      ++taken[i];
      --left;
      is_taken = true;
    }
    if (!is_taken) break;
  }
  std::vector<PaneLine> out;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t hidden = parts[i].size() - taken[i];
    for (size_t k = 0; k < taken[i]; ++k) out.push_back(parts[i][k]);
    if (hidden > 0 && taken[i] > 0) out.back().text += fmt::format("  (+{} more)", hidden);
  }
  return out;
}

void draw_rule(Grid& grid, int y, const PoolRow& pool) {
  const char32_t line = grid.is_utf8() ? U'─' : U'-';
  for (int x = 0; x < grid.size().width; ++x) grid.set(x, y, line, Style::dim);
  int x = grid.put(2, y, " " + pool.pool + " ", Style::title, grid.size().width - 4, true);
  const auto add = [&](const std::string& text, Style style) {
    if (!text.empty() && x + shown_width(text) + 4 < grid.size().width) x = grid.put(x + 1, y, " " + text + " ", style);
  };
  add(pool.state, style_of_state(pool.state));
  add(pool.backend, Style::plain);
  add(pool.target, Style::plain);
  add(pool.app.empty() ? "" : pool.app + (pool.pid ? " pid " + std::to_string(*pool.pid) : ""), Style::dim);
}

int label_width(const Grid& grid) { return grid.size().width < kNarrow ? 0 : 9; }

void draw_lines(Grid& grid, const std::vector<PaneLine>& lines, int y, int height) {
  const int label = label_width(grid);
  for (size_t i = 0; i < lines.size() && static_cast<int>(i) < height; ++i) {
    const int row = y + static_cast<int>(i);
    if (label > 0) grid.put(kMargin, row, lines[i].label, Style::dim, label);
    grid.put(kMargin + label, row, lines[i].text, lines[i].style);
  }
}

// Where the first row of a text that needs several ends: after the last blank that fits.
size_t end_of_first_row(std::string_view text, int width) {
  size_t end = text.size();
  while (end > 0 && shown_width(text.substr(0, end)) > width) {
    const size_t blank = end < 2 ? std::string_view::npos : text.find_last_of(' ', end - 2);
    if (blank == std::string_view::npos) return text.size();
    end = blank + 1;
  }
  return end;
}

void add_wrapped(std::vector<PaneLine>& out, const std::string& label, std::string_view text, Style style, int width) {
  for (bool is_first = true; !text.empty(); is_first = false) {
    const size_t end = end_of_first_row(text, width);
    out.push_back({is_first ? label : "", std::string(text.substr(0, end)), style});
    text.remove_prefix(end);
  }
}

// The texts of the row at the cursor, which the table has to cut.
std::vector<PaneLine> details_of(const Model& model, int width) {
  std::vector<PaneLine> out;
  if (model.lines().empty()) return out;
  const Line& line = model.lines()[model.cursor()];
  const auto add = [&](const std::string& label, const std::string& text, Style style = Style::plain) {
    add_wrapped(out, label, text, style, width);
  };
  for (const AlertRow& alert : model.snapshot().alerts) {
    if (model.view() != ViewKind::alerts || alert.instance_id != line.instance_id || alert.alert_id != line.number)
      continue;
    add("alert", alert.rule + " of " + alert.pool + ": " + alert.message, style_of_severity(alert.severity));
    if (alert.value && alert.threshold) {
      add("value", fmt::format("{} {:.4g}, threshold {:.4g}", alert.metric, *alert.value, *alert.threshold));
    }
    add("to do", alert.advice);
    if (!alert.acked_by.empty()) add("acked", "by " + alert.acked_by, Style::good);
  }
  for (const InsightRow& insight : model.snapshot().insights) {
    const bool is_chosen = insight.instance_id == line.instance_id && line.label == insight.finding;
    if (model.view() != ViewKind::insights || !is_chosen) continue;
    add("finding", insight.finding, style_of_severity(insight.severity));
    add("evidence", insight.evidence);
    add("advice", insight.advice);
    if (!insight.option_name.empty()) add("change", change_of(insight), Style::good);
    break;
  }
  for (const EventRow& event : model.snapshot().events) {
    if (model.view() != ViewKind::events || event.instance_id != line.instance_id || event.seq != line.number) continue;
    add("event", event.message, style_of_severity(event.severity));
    break;
  }
  return out;
}

void draw_details(Grid& grid, const Model& model, int y, int height) {
  for (int x = 0; x < grid.size().width; ++x) grid.set(x, y, grid.is_utf8() ? U'─' : U'-', Style::dim);
  draw_lines(grid, details_of(model, grid.size().width - kMargin - label_width(grid)), y + 1, height - 1);
}

// About the pool at the cursor.
void draw_pane(Grid& grid, const Model& model, int y, int height) {
  const PoolRow* pool = model.selected_pool();
  if (pool == nullptr || height < 2) return;
  draw_rule(grid, y, *pool);
  const Snapshot& snapshot = model.snapshot();
  const std::string& instance = pool->instance_id;
  draw_lines(grid,
             chosen({facts_of(*pool), alerts_of(snapshot, instance), insights_of(snapshot, instance),
                     waiters_of(snapshot, instance), leases_of(snapshot, instance)},
                    static_cast<size_t>(height - 1)),
             y + 1, height - 1);
}

// Above the leases on the page of a pool: facts, problems, and the last minute.
int draw_page_head(Grid& grid, const Model& model, int y, int height) {
  const PoolRow* pool = model.selected_pool();
  if (pool == nullptr) {
    grid.put(kMargin, y, "The pool \"" + model.scope_name() + "\" is gone. Esc goes back.", Style::warning);
    return y + 1;
  }
  draw_rule(grid, y++, *pool);
  if (height >= 14) {
    const int rows = height >= 24 ? 5 : 3;
    const int label = label_width(grid);
    const int width = std::min(60, grid.size().width - kMargin - label - 12);
    if (width >= 10) {
      grid.put(kMargin, y, model.shows_waits() ? "waiting" : "in use", Style::dim, label);
      draw_track(grid, kMargin + label, y, width, rows, *pool, model.shows_waits());
      const std::vector<Sample>& track = pool->track;
      const std::vector<Sample> minute(track.end() - static_cast<std::ptrdiff_t>(std::min<size_t>(60, track.size())),
                                       track.end());
      grid.put(kMargin + label + width + 1, y, fmt::format("{:.0f}", highest(minute, model.shows_waits())), Style::dim);
      grid.put(kMargin + label + width + 1, y + rows - 1, "last 60s", Style::dim);
      y += rows;
    }
  }
  std::vector<PaneLine> lines =
      chosen({facts_of(*pool), alerts_of(model.snapshot(), pool->instance_id),
              insights_of(model.snapshot(), pool->instance_id), waiters_of(model.snapshot(), pool->instance_id)},
             static_cast<size_t>(std::clamp(height / 3, 1, 10)));
  draw_lines(grid, lines, y, height);
  return y + static_cast<int>(lines.size());
}

size_t firing(const Snapshot& snapshot) {
  return static_cast<size_t>(std::count_if(snapshot.alerts.begin(), snapshot.alerts.end(),
                                           [](const AlertRow& alert) { return alert.is_firing(); }));
}

std::string plural(size_t number, std::string_view word) {
  return std::to_string(number) + " " + std::string(word) + (number == 1 ? "" : "s");
}

void draw_header(Grid& grid, const Model& model) {
  const Snapshot& snapshot = model.snapshot();
  const int width = grid.size().width;
  std::string right = clock_text(snapshot.wall_us);
  if (const Player* player = model.player()) {
    right = fmt::format("{}  {}/{} {}", right, player->position() + 1, player->size(),
                        player->is_playing() ? "playing" : "paused");
    if (player->speed() != 1) right += fmt::format(" x{:g}", player->speed());
  }
  const int right_x = width - shown_width(right) - 1;
  const int room = right_x - 1;
  std::string left = width < kNarrow ? "tidepool" : "tidepool top";
  const auto add = [&](const std::string& more, std::string_view between) {
    if (shown_width(left) + shown_width(more) + 3 <= room) left += std::string(between) + more;
  };
  add(model.player() == nullptr ? snapshot.host : snapshot.place, "  ");
  add(plural(snapshot.pools.size(), "pool"), "  ");
  const size_t alerts = firing(snapshot);
  add(alerts == 0 ? "no alerts" : plural(alerts, "alert"), ", ");
  if (model.player() == nullptr) add(fmt::format("every {:g}s", static_cast<double>(model.interval_ns()) / 1e9), "  ");
  const Style style = alerts > 0 ? Style::bad : Style::plain;
  grid.put(1, 0, left, style, std::max(0, room), true);
  if (right_x > 10) grid.put(right_x, 0, right, Style::plain, width, true);
  grid.set_reverse(0, 0, width);
}

// With the numbers of rows, if there is room for them.
std::vector<std::string> tabs_of(const Model& model, int width) {
  std::vector<std::string> plain;
  std::vector<std::string> counted;
  int used = model.scope().empty() ? 1 : shown_width(model.scope_name()) + 3;
  for (size_t i = 0; i < kViews; ++i) {
    const auto kind = static_cast<ViewKind>(i);
    const bool is_page = i == 0 && !model.scope().empty();
    plain.push_back(fmt::format("{} {}", i + 1, is_page ? "Pool" : about(kind).title));
    const bool is_counted = kind != ViewKind::events && kind != ViewKind::tags && !is_page && model.rows_of(kind) > 0;
    counted.push_back(is_counted ? fmt::format("{} {}", plain.back(), model.rows_of(kind)) : plain.back());
    used += shown_width(counted.back()) + 2;
  }
  return used <= width ? counted : plain;
}

void draw_tabs(Grid& grid, const Model& model, int y) {
  const int width = grid.size().width;
  int x = 1;
  if (!model.scope().empty()) x = grid.put(x, y, model.scope_name() + ": ", Style::warning, width / 3, true);
  const std::vector<std::string> tabs = tabs_of(model, width);
  for (size_t i = 0; i < kViews; ++i) {
    const auto kind = static_cast<ViewKind>(i);
    const bool is_current = kind == model.view();
    // Where not all fit, at least the current one is shown.
    if (width < kNarrow && !is_current) continue;
    const bool is_trouble = kind == ViewKind::alerts && model.rows_of(kind) > 0;
    x = grid.put(x, y, is_current ? "[" + tabs[i] + "]" : " " + tabs[i] + " ",
                 is_trouble   ? Style::bad
                 : is_current ? Style::title
                              : Style::plain,
                 width, is_current);
  }
}

// What is asked or said. `ending`: is always visible, also after a text that is cut.
struct Remark {
  std::string text = {};
  Style style = Style::plain;
  std::string ending = {};
};

Remark remark_of(const Model& model) {
  const Dialog& dialog = model.dialog();
  switch (dialog.kind) {
    case Dialog::Kind::filter: return {"/" + model.filter(), Style::title, "_"};
    case Dialog::Kind::prompt: return {dialog.question + ": " + dialog.input, Style::title, "_"};
    case Dialog::Kind::confirm: return {dialog.question, Style::warning, " y/N"};
    case Dialog::Kind::help:
    case Dialog::Kind::none: break;
  }
  if (!model.message().text.empty()) return {model.message().text, model.message().style};
  if (!model.filter().empty()) return {"filter: " + model.filter() + "  (Esc clears it)", Style::warning};
  if (model.marks() > 0) return {fmt::format("{} marked", model.marks()), Style::warning};
  return {};
}

// In one row or, where that is too short, in two of them; the number of rows.
int draw_remark(Grid& grid, const Remark& remark, int y, int rows) {
  const int width = grid.size().width - 1;
  const int ending = shown_width(remark.ending);
  const bool is_long = rows > 1 && shown_width(remark.text) + ending > width;
  const size_t first = is_long ? end_of_first_row(remark.text, width) : 0;
  if (is_long) grid.put(1, y++, std::string_view(remark.text).substr(0, first), remark.style, width, true);
  const int x =
      grid.put(1, y, std::string_view(remark.text).substr(first), remark.style, std::max(0, width - ending), true);
  grid.put(x, y, remark.ending, remark.style, ending, true);
  return is_long ? 2 : 1;
}

// The lowest two rows.
void draw_footer(Grid& grid, const Model& model, int y, int rows) {
  const int width = grid.size().width - 1;
  if (draw_remark(grid, remark_of(model), y, rows) == 2 || rows < 2) return;
  const std::string_view keys =
      model.player() != nullptr           ? "? help  Space play  left/right step  [ ] speed  g go to  / filter  q quit"
      : model.table() == ViewKind::leases ? "? help  / filter  K revoke  S scale  b burst  p pause  Esc back  q quit"
      : model.table() == ViewKind::alerts
          ? "? help  / filter  Space mark  a acknowledge  Enter open  Esc back  q quit"
          : "? help  Enter open  / filter  Space mark  S scale  b burst  p pause  q quit";
  grid.put(1, y + 1, keys, Style::dim, width);
}

void draw_help(Grid& grid, const Model& model, int y, int height) {
  const std::vector<KeyHelp> keys = key_help(model.player() != nullptr);
  const size_t rows = static_cast<size_t>(std::max(0, height));
  const size_t last = keys.size() > rows ? keys.size() - rows : 0;
  const size_t top = std::min(model.dialog().scroll, last);
  for (size_t i = 0; i < rows && top + i < keys.size(); ++i) {
    const KeyHelp& one = keys[top + i];
    const int row = y + static_cast<int>(i);
    if (one.key.empty()) {
      grid.put(1, row, one.meaning, Style::title, grid.size().width, true);
      continue;
    }
    const int key = grid.size().width < kNarrow ? 8 : 12;
    grid.put(kMargin, row, one.key, Style::warning, key, true);
    grid.put(kMargin + key, row, one.meaning, Style::plain);
  }
}

// The rows of the pane: on the pools' view what the table does not need, within limits.
int pane_rows(const Model& model, int body) {
  constexpr int kDetails = 7;
  const bool has_details =
      model.view() == ViewKind::alerts || model.view() == ViewKind::insights || model.view() == ViewKind::events;
  if (has_details) return body < kDetails + 5 || model.lines().empty() ? 0 : kDetails;
  if (model.view() != ViewKind::pools || model.is_page_of_pool() || body < kPaneMin + 4) return 0;
  const int table = 1 + static_cast<int>(std::min<size_t>(model.lines().size(), 1000));
  return std::clamp(body - table, std::max(kPaneMin, body * 2 / 5), body - 4);
}

}  // namespace

Grid paint(Model& model, Size size, bool is_utf8) {
  Grid grid(size, is_utf8);
  const int height = grid.size().height;
  draw_header(grid, model);
  // Rows for the table: without the header, the views, and the footer, as far as there is room for these.
  const bool has_tabs = height >= 5;
  const int footer = height >= 4 ? 2 : height >= 2 && !remark_of(model).text.empty() ? 1 : 0;
  int y = has_tabs ? 2 : 1;
  if (has_tabs) draw_tabs(grid, model, 1);
  const int end = height - footer;
  if (model.dialog().kind == Dialog::Kind::help) {
    draw_help(grid, model, y, end - y);
  } else if (model.has_snapshot() && model.snapshot().pools.empty()) {
    draw_no_pools(grid, model, y);
  } else {
    const int pane = pane_rows(model, end - y);
    if (model.is_page_of_pool() && end - y >= 8) y = draw_page_head(grid, model, y, end - y);
    draw_table(grid, model, y, end - y - pane);
    if (pane > 0 && model.view() == ViewKind::pools) draw_pane(grid, model, end - pane, pane);
    if (pane > 0 && model.view() != ViewKind::pools) draw_details(grid, model, end - pane, pane);
  }
  if (footer > 0) draw_footer(grid, model, end, footer);
  return grid;
}

Grid paint_all(Model& model, int width, bool is_utf8) {
  constexpr int kAround = 5;  // header, views, titles, footer
  constexpr int kPane = 12;
  const int rows = static_cast<int>(std::min<size_t>(model.snapshot().pools.size(), 10'000));
  return paint(model, {width, kAround + std::max(rows, 3) + kPane}, is_utf8);
}

}  // namespace tide::cli::top
