#include "assign.hpp"

#include <array>
#include <charconv>

#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

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
  put(blob, key);
  put(blob, min_size);
  put(blob, max_size);
  return blob;
}

std::optional<RowIdentity> RowIdentity::unpack(std::string_view blob) {
  std::array<std::string_view, 7> fields;
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
  row.key = fields[4];
  row.min_size = number(fields[5]);
  row.max_size = number(fields[6]);
  return row;
}

std::string assignable_columns(const tide_relation& relation) {
  std::string names;
  for (int i = 0; i < relation.ncolumns; ++i) {
    if (relation.columns[i].is_writable == 0) continue;
    if (!names.empty()) names.append(", ");
    names.append(relation.columns[i].name);
  }
  return names;
}

std::optional<std::string> assign(const tide_relation& relation, int column, sqlite3_value* value,
                                  const RowIdentity& row, std::vector<Order>& orders) {
  const char* const name = relation.columns[column].name;
  if (relation.columns[column].is_writable == 0) {
    return std::string(name) + " cannot be assigned" + "\nHint: UPDATE may set " + assignable_columns(relation);
  }
  Order order{row, &relation, name, {}};
  const auto whole = sqlite3_value_type(value) == SQLITE_TEXT ? std::nullopt : whole_number(value);
  auto text = text_of(value);
  if (sqlite3_value_type(value) == SQLITE_NULL) {
    order.value = Given::null();
  } else if (whole) {
    order.value = Given::whole(*whole);
  } else if (text) {
    order.value = Given::of_text(*std::move(text));
  } else {
    return std::string(name) + " cannot be a text with a NUL inside";
  }
  Meant meant;
  if (auto why = mean(order, meant)) return why;
  orders.push_back(std::move(order));
  return std::nullopt;
}

std::optional<std::string> mean(const Order& order, Meant& out) {
  const RowIdentity& row = order.row;
  out.row.relation = order.relation->name;
  out.row.instance_id = row.instance_id.c_str();
  out.row.pool = row.pool.c_str();
  out.row.key = row.key.empty() ? nullptr : row.key.c_str();
  out.row.min_size = row.min_size.value_or(-1);
  out.row.max_size = row.max_size.value_or(-1);
  out.value = {order.value.type, 0, order.value.integer, order.value.real, order.value.text.c_str()};
  tide_error error = TIDE_ERROR_INIT;
  if (tide_assign(&out.row, order.column, &out.value, &out.what, &error) != TIDE_OK) return explain(error);
  return std::nullopt;
}

}  // namespace tide::sqlite
