#include "text/table.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "text/json.hpp"

namespace tide::cli {
namespace {

constexpr int kGap = 2;
constexpr int kNarrow = 60;
constexpr int kTextMin = 12;  // columns that a text keeps, before other columns are left out
constexpr int kNameMin = 28;

bool is_number(const tide_column& column) { return column.type == TIDE_INT || column.type == TIDE_DOUBLE; }

// Identifiers have no magnitude: they stand on the left and are not shortened.
bool is_cuttable(const tide_column& column) { return column.type == TIDE_TEXT || column.type == TIDE_JSON; }

// Names and words, not what somebody wrote.
bool is_name(const tide_column& column) { return column.type == TIDE_TEXT && column.is_masked == 0; }

struct Layout {
  std::vector<int> places;  // of the columns in the relation
  std::vector<int> widths;
  std::vector<std::vector<std::string>> cells;  // [0]: headings

  int total() const {
    return std::accumulate(widths.begin(), widths.end(), kGap * (static_cast<int>(widths.size()) - 1));
  }
};

Layout layout_of(const Reading& reading, const std::vector<int>& columns) {
  Layout layout;
  layout.places = columns;
  layout.widths.assign(columns.size(), 0);
  layout.cells.resize(reading.rows.size() + 1);
  for (const int place : columns) {
    const tide_column& column = reading.relation->columns[place];
    layout.cells[0].emplace_back(column.name);
    for (size_t row = 0; row < reading.rows.size(); ++row)
      layout.cells[row + 1].push_back(shown(reading.rows[row][static_cast<size_t>(place)], column));
  }
  for (const auto& row : layout.cells) {
    for (size_t i = 0; i < row.size(); ++i) layout.widths[i] = std::max(layout.widths[i], width_of(row[i]));
  }
  return layout;
}

// Takes the missing columns from the widest texts.
void squeeze(Layout& layout, const tide_relation& relation, int width) {
  for (int excess = layout.total() - width; excess > 0; --excess) {
    int* widest = nullptr;
    for (size_t i = 0; i < layout.widths.size(); ++i) {
      const tide_column& column = relation.columns[layout.places[i]];
      const bool may_shrink = is_cuttable(column) && layout.widths[i] > (is_name(column) ? kNameMin : kTextMin);
      if (may_shrink && (widest == nullptr || layout.widths[i] > *widest)) widest = &layout.widths[i];
    }
    if (widest == nullptr) return;
    --*widest;
  }
}

void remove(Layout& layout, size_t i) {
  const auto at = static_cast<std::ptrdiff_t>(i);
  layout.places.erase(layout.places.begin() + at);
  layout.widths.erase(layout.widths.begin() + at);
  for (auto& row : layout.cells) row.erase(row.begin() + at);
}

// From the right; on narrow terminals times first, because they leave no room for anything else.
size_t leave_out(Layout& layout, const tide_relation& relation, int width) {
  size_t left_out = 0;
  while (layout.total() > width && layout.widths.size() > 1) {
    size_t i = layout.places.size() - 1;
    while (width < kNarrow && i > 0 && relation.columns[layout.places[i]].type != TIDE_TIME) --i;
    if (relation.columns[layout.places[i]].type != TIDE_TIME) i = layout.places.size() - 1;
    remove(layout, i);
    ++left_out;
  }
  if (layout.total() > width) layout.widths[0] = std::max(1, width);
  return left_out;
}

std::string padded(const std::string& text, int width, bool is_right) {
  const std::string fill(static_cast<size_t>(std::max(0, width - width_of(text))), ' ');
  return is_right ? fill + text : text + fill;
}

// Without the digits that nobody reads.
std::string rounded(double number) {
  if (!std::isfinite(number)) return "-";
  const double size = std::abs(number);
  if (size >= 1e15) return fmt::format("{:g}", number);
  std::string text = fmt::format("{:.{}f}", number, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
  if (text.find('.') != std::string::npos) text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

enum class Tone { plain, good, warning, bad };

Tone tone_of(std::string_view word) {
  for (const std::string_view good : {"running", "healthy", "ok", "live", "applied", "resolved"}) {
    if (word == good) return Tone::good;
  }
  for (const std::string_view warning : {"starting", "paused", "draining", "degraded", "stale", "warning", "queued",
                                         "pending", "half_open", "leftover", "other_version"}) {
    if (word == warning) return Tone::warning;
  }
  for (const std::string_view bad : {"emergency", "dead", "closed", "critical", "failed", "unhealthy", "refused",
                                     "expired", "firing", "unreadable", "damaged"}) {
    if (word == bad) return Tone::bad;
  }
  return Tone::plain;
}

// Columns whose words have a tone; names and texts of users have none.
bool has_tone(std::string_view column) { return column == "state" || column == "status" || column == "severity"; }

}  // namespace

std::string shown(const Cell& cell, const tide_column& column) {
  if (cell.is_null) return "-";
  switch (column.type) {
    case TIDE_BOOL: return cell.integer != 0 ? "yes" : "no";
    case TIDE_DOUBLE: return rounded(cell.real);
    case TIDE_TIME: return cell.text.size() > 20 ? cell.text.substr(0, 19) + "Z" : cell.text;  // without fractions
    case TIDE_JSON: return visible(json_shown(cell.text));
    default: return visible(cell.text);
  }
}

std::string coloured(const std::string& text, std::string_view word) {
  switch (tone_of(word)) {
    case Tone::good: return "\x1b[32m" + text + "\x1b[0m";
    case Tone::warning: return "\x1b[33m" + text + "\x1b[0m";
    case Tone::bad: return "\x1b[1;31m" + text + "\x1b[0m";
    case Tone::plain: break;
  }
  return text;
}

std::string bold(const std::string& text) { return "\x1b[1m" + text + "\x1b[0m"; }

bool is_too_wide(const Reading& reading, const std::vector<int>& columns, const Terminal& terminal) {
  if (terminal.width == 0) return false;
  Layout layout = layout_of(reading, columns);
  squeeze(layout, *reading.relation, terminal.width);
  return layout.total() > terminal.width;
}

std::string table_of(const Reading& reading, const std::vector<int>& columns, const Terminal& terminal,
                     size_t* left_out) {
  Layout layout = layout_of(reading, columns);
  size_t missing = 0;
  if (terminal.width > 0) {
    squeeze(layout, *reading.relation, terminal.width);
    missing = leave_out(layout, *reading.relation, terminal.width);
  }
  if (left_out != nullptr) *left_out = missing;
  std::string out;
  for (size_t row = 0; row < layout.cells.size(); ++row) {
    std::string line;
    for (size_t i = 0; i < layout.widths.size(); ++i) {
      const tide_column& column = reading.relation->columns[layout.places[i]];
      const std::string text = cut(layout.cells[row][i], layout.widths[i]);
      std::string cell = padded(text, layout.widths[i], is_number(column));
      if (terminal.has_colour && row == 0) cell = bold(cell);
      if (terminal.has_colour && row > 0 && has_tone(column.name)) cell = coloured(cell, text);
      line += (i == 0 ? "" : std::string(kGap, ' ')) + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string blocks_of(const Reading& reading, const std::vector<int>& columns, const Terminal& terminal) {
  int name_width = 0;
  for (const int place : columns) name_width = std::max(name_width, width_of(reading.relation->columns[place].name));
  if (terminal.width > 0) name_width = std::min(name_width, terminal.width / 2);
  std::string out;
  for (size_t row = 0; row < reading.rows.size(); ++row) {
    if (row > 0) out += "\n";
    for (const int place : columns) {
      const tide_column& column = reading.relation->columns[place];
      std::string text = shown(reading.rows[row][static_cast<size_t>(place)], column);
      std::string name = padded(cut(column.name, name_width), name_width, false);
      if (terminal.width > 0) text = cut(text, terminal.width - name_width - kGap);
      if (terminal.has_colour) name = bold(name);
      if (terminal.has_colour && has_tone(column.name)) text = coloured(text, text);
      out += name + std::string(kGap, ' ') + text + "\n";
    }
  }
  return out;
}

std::string json_of(const Cell& cell, const tide_column& column) {
  if (cell.is_null) return "null";
  switch (column.type) {
    case TIDE_INT: return cell.text;
    case TIDE_DOUBLE: return std::isfinite(cell.real) ? cell.text : "null";
    case TIDE_BOOL: return cell.integer != 0 ? "true" : "false";
    case TIDE_JSON: return json_or_string(cell.text);
    default: return json_string(cell.text);
  }
}

std::string json_of(const Reading& reading, const std::vector<int>& columns) {
  std::string out = "[";
  for (size_t row = 0; row < reading.rows.size(); ++row) {
    out += row == 0 ? "\n{" : ",\n{";
    for (size_t i = 0; i < columns.size(); ++i) {
      const tide_column& column = reading.relation->columns[columns[i]];
      out += (i == 0 ? "" : ", ") + json_string(column.name) + ": " +
             json_of(reading.rows[row][static_cast<size_t>(columns[i])], column);
    }
    out += "}";
  }
  return out + (reading.rows.empty() ? "]\n" : "\n]\n");
}

}  // namespace tide::cli
