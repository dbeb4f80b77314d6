// Views: the tables of the screen, each with its columns and what a row of it shows.
//
// Threads: any. Failure: none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "snapshot.hpp"

namespace tide::cli::top {

enum class ViewKind : uint8_t { pools, leases, waiters, alerts, insights, tags, events };
inline constexpr size_t kViews = 7;

// What a text means; the terminal decides how that looks.
enum class Style : uint8_t { plain, dim, title, good, warning, bad };

struct ViewColumn {
  std::string_view title;
  int width;                   // at least, in columns of the terminal
  int grow;                    // share of the space that is left over; 0: none
  int importance;              // 1 is always shown; of the others those with the lowest numbers, as many as fit
  bool is_right;               // numbers
  bool is_descending = false;  // how it is sorted at first
};

struct View {
  ViewKind kind;
  std::string_view title;
  std::string_view of;  // what its rows are: "leases"
  std::span<const ViewColumn> columns;
  size_t sorted_by;  // at first
  std::string_view when_empty;
};
const View& about(ViewKind kind);

struct Field {
  enum class Kind : uint8_t { text, bar, track };

  std::string text = {};
  std::variant<std::string, double> sorts_as = {};
  Style style = Style::plain;
  Kind kind = Kind::text;  // the others draw the pool
};

struct Line {
  std::string key;  // the same row at the next refresh
  std::string instance_id;
  std::string pool;
  int64_t number = 0;  // lease_id or alert_id
  std::string label =
      {};  // for questions: the tag and the age of a lease, the rule of an alert, the finding of an insight
  std::vector<Field> fields = {};  // in the order of the columns
};

// `instance_id`: only rows of this one; "": all.
std::vector<Line> lines_of(ViewKind kind, const Snapshot& snapshot, const std::string& instance_id);

// Texts, as they are shown.
std::string duration_text(std::optional<double> ms);  // "12ms", "3.4s", "2m05s"; "-" for null
std::string count_text(std::optional<int64_t> number);
std::string rate_text(std::optional<double> per_s);  // "12", "3.4k"
std::string clock_text(int64_t wall_us);             // "20:15:03", of the local time
std::string change_of(const InsightRow& insight);    // "max_size = 20"
Style style_of_state(std::string_view state);
Style style_of_severity(std::string_view severity);

}  // namespace tide::cli::top
