#include "assign.hpp"

#include <array>
#include <charconv>

#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

using Refusal = std::optional<std::string>;
using Meaning = Refusal (*)(const char* column, sqlite3_value* value, const RowIdentity& row, Order& order);

std::string shown(sqlite3_value* value) {
  if (sqlite3_value_type(value) == SQLITE_NULL) return "NULL";
  return "\"" + text_of(value).value_or("...") + "\"";
}

Order order_for(const RowIdentity& row) {
  Order order;
  order.directory = row.directory;
  order.instance_id = row.instance_id;
  order.pool = row.pool;
  order.before = row.limits;
  return order;
}

Refusal scale(const char* column, sqlite3_value* value, const RowIdentity&, Order& order) {
  order.verb = "scale";
  order.subject = column;
  if (sqlite3_value_type(value) == SQLITE_NULL) {
    order.values = {Given::null()};
    return std::nullopt;
  }
  const auto size = whole_number(value);
  if (!size) {
    return "target_size cannot be " + shown(value) +
           "\nDetail: accepted: a whole number of connections, or NULL for automatic sizing";
  }
  order.target_size = size;
  order.values = {Given::whole(*size)};
  return std::nullopt;
}

void set_option(const std::string& option, const std::string& value, Order& order) {
  order.verb = "set";
  order.subject = option;
  order.values = {Given::of_text(option), Given::of_text(value)};
}

Refusal set_limit(const char* column, sqlite3_value* value, const RowIdentity&, Order& order) {
  order.limit = whole_number(value);
  if (!order.limit) {
    return std::string(column) + " cannot be " + shown(value) + "\nDetail: accepted: a whole number of connections";
  }
  set_option(column, std::to_string(*order.limit), order);
  return std::nullopt;
}

Refusal change_state(const char* column, sqlite3_value* value, const RowIdentity&, Order& order) {
  struct Change {
    std::string_view state;
    const char* verb;
  };
  constexpr std::array<Change, 3> kChanges = {{{"paused", "pause"}, {"running", "resume"}, {"draining", "drain"}}};
  const std::string wanted = text_of(value).value_or("");
  for (const Change& change : kChanges) {
    if (wanted != change.state) continue;
    order.verb = change.verb;
    order.subject = column;
    return std::nullopt;
  }
  return "state cannot be " + shown(value) +
         "\nDetail: accepted: \"paused\" to pause, \"running\" to resume, \"draining\" to drain; a pool finds the "
         "other "
         "states by itself";
}

Refusal set_setting(const char* column, sqlite3_value* value, const RowIdentity& row, Order& order) {
  if (row.name == "min_size" || row.name == "max_size") return set_limit(row.name.c_str(), value, row, order);
  const auto text = text_of(value);
  if (!text) {
    return std::string(column) + " of the setting \"" + row.name + "\" cannot be NULL" +
           "\nHint: its default stands in the column default_value";
  }
  set_option(row.name, *text, order);
  return std::nullopt;
}

Refusal acknowledge(const char* column, sqlite3_value* value, const RowIdentity& row, Order& order) {
  const auto by = text_of(value);
  if (!row.alert_id || !by || by->empty()) {
    return std::string(column) + " cannot be " + shown(value) +
           "\nDetail: accepted: the name of who has seen the alert; what was acknowledged stays so";
  }
  order.verb = "ack";
  order.subject = "alert " + std::to_string(*row.alert_id);
  order.values = {Given::whole(*row.alert_id), Given::of_text(*by)};
  return std::nullopt;
}

struct Assignable {
  std::string_view relation;
  std::string_view column;
  Meaning meaning;
};

constexpr std::array<Assignable, 6> kAssignable = {{{"pools", "target_size", scale},
                                                    {"pools", "min_size", set_limit},
                                                    {"pools", "max_size", set_limit},
                                                    {"pools", "state", change_state},
                                                    {"settings", "value", set_setting},
                                                    {"alerts", "acked_by", acknowledge}}};

Meaning meaning_of(const tide_relation& relation, int column) {
  const tide_column& wanted = relation.columns[column];
  if (wanted.is_writable == 0) return nullptr;
  for (const Assignable& known : kAssignable) {
    if (known.relation == relation.name && known.column == wanted.name) return known.meaning;
  }
  return nullptr;
}

constexpr std::string_view kMagic = "tidepool row";

void put(std::string& blob, std::string_view field) { blob.append(field).push_back('\0'); }

void put(std::string& blob, std::optional<int64_t> field) { put(blob, field ? std::to_string(*field) : std::string()); }

}  // namespace

std::string RowIdentity::pack() const {
  std::string blob;
  put(blob, kMagic);
  put(blob, directory);
  put(blob, instance_id);
  put(blob, pool);
  put(blob, name);
  put(blob, limits.min_size);
  put(blob, limits.max_size);
  put(blob, alert_id);
  return blob;
}

std::optional<RowIdentity> RowIdentity::unpack(std::string_view blob) {
  std::array<std::string_view, 8> fields;
  for (std::string_view& field : fields) {
    const size_t end = blob.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    field = blob.substr(0, end);
    blob.remove_prefix(end + 1);
  }
  if (fields[0] != kMagic || !blob.empty()) return std::nullopt;
  const auto number = [](std::string_view field) -> std::optional<int64_t> {
    int64_t out = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), out);
    if (error != std::errc{} || end != field.data() + field.size()) return std::nullopt;
    return out;
  };
  RowIdentity row;
  row.directory = fields[1];
  row.instance_id = fields[2];
  row.pool = fields[3];
  row.name = fields[4];
  row.limits.min_size = number(fields[5]);
  row.limits.max_size = number(fields[6]);
  row.alert_id = number(fields[7]);
  return row;
}

bool has_assignable(const tide_relation& relation) { return !assignable_columns(relation).empty(); }

std::string assignable_columns(const tide_relation& relation) {
  std::string names;
  for (int i = 0; i < relation.ncolumns; ++i) {
    if (meaning_of(relation, i) == nullptr) continue;
    if (!names.empty()) names.append(", ");
    names.append(relation.columns[i].name);
  }
  return names;
}

std::optional<std::string> assign(const tide_relation& relation, int column, sqlite3_value* value,
                                  const RowIdentity& row, std::vector<Order>& orders) {
  const Meaning meaning = meaning_of(relation, column);
  if (meaning == nullptr) {
    return std::string(relation.columns[column].name) + " cannot be assigned" + "\nHint: UPDATE may set " +
           assignable_columns(relation);
  }
  Order order = order_for(row);
  if (auto refusal = meaning(relation.columns[column].name, value, row, order)) return refusal;
  orders.push_back(std::move(order));
  return std::nullopt;
}

}  // namespace tide::sqlite
