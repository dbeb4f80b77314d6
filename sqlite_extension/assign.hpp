// Assign: the row an UPDATE is about, and what an assignment to one of its columns means; the latter is the library's to
// say (tide_assign()).
#pragma once

#include <sqlite3ext.h>
#include <tidepool/control.h>
#include <tidepool/observe.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "values.hpp"

namespace tide::sqlite {

// As the snapshot showed it.
struct RowIdentity {
  std::string directory;
  std::string instance_id;
  std::string pool;
  std::string key;  // settings: the option; alerts: the alert_id
  std::optional<int64_t> min_size;
  std::optional<int64_t> max_size;

  // SQLite hands xUpdate only the columns that were assigned. The identity travels in the hidden column, as a blob
  // nobody writes by accident, so nothing needs to be remembered between reading a row and updating it.
  std::string pack() const;
  static std::optional<RowIdentity> unpack(std::string_view blob);
};

// `column = value` for one row.
struct Order {
  RowIdentity row;
  const tide_relation* relation = nullptr;
  const char* column = nullptr;
  Given value;

  // "pool "app", instance ..."
  std::string place() const { return "pool \"" + row.pool + "\", instance " + row.instance_id; }
};

// What it means, in the words of the library. Borrowed: valid while the order stands where it is.
struct Meant {
  tide_row row = TIDE_ROW_INIT;
  tide_value value = {};
  tide_assignment what = TIDE_ASSIGNMENT_INIT;
};
// Why not; nothing: it is in `out`.
std::optional<std::string> mean(const Order& order, Meant& out);

// "target_size, min_size, max_size, state"
std::string assignable_columns(const tide_relation& relation);

// Appends the order that `column = value` means for this row. A refusal is the text returned.
std::optional<std::string> assign(const tide_relation& relation, int column, sqlite3_value* value,
                                  const RowIdentity& row, std::vector<Order>& orders);

}  // namespace tide::sqlite
