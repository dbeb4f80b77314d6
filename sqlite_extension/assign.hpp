// Assign: which UPDATE means which order.
//
// The catalogue says which columns are writable; here stands what writing them means. Both must agree that a column may
// be assigned, so an older extension never misreads a newer catalogue.
#pragma once

#include <sqlite3ext.h>
#include <tidepool/observe.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "staging.hpp"

namespace tide::sqlite {

// The row an UPDATE is about, as the snapshot showed it.
struct RowIdentity {
  std::string directory;
  std::string instance_id;
  std::string pool;
  std::string name;  // of the option, in settings
  Limits limits;
  std::optional<int64_t> alert_id;  // in alerts

  // SQLite hands xUpdate only the columns that were assigned. The identity travels in the hidden column, as a blob
  // nobody writes by accident, so nothing needs to be remembered between reading a row and updating it.
  std::string pack() const;
  static std::optional<RowIdentity> unpack(std::string_view blob);
};

bool has_assignable(const tide_relation& relation);
// "target_size, min_size, max_size, state"
std::string assignable_columns(const tide_relation& relation);

// Appends the order that `column = value` means for this row. A refusal is the text returned.
std::optional<std::string> assign(const tide_relation& relation, int column, sqlite3_value* value,
                                  const RowIdentity& row, std::vector<Order>& orders);

}  // namespace tide::sqlite
