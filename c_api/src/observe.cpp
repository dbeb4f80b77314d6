// tide_relation_at, tide_cursor_*: relations in the C API.
#include <tidepool/observe.h>

#include <charconv>
#include <limits>
#include <memory>
#include <vector>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "cursor.hpp"
#include "guard.hpp"
#include "reading/fleet.hpp"
#include "reading/relation.hpp"
#include "reading/rows.hpp"
#include "reading/value.hpp"
#include "structs.hpp"
#include "texts.hpp"

using namespace tide;

namespace {

int32_t type_of(ColumnType type) {
  switch (type) {
    case ColumnType::integer:
    case ColumnType::int4: return TIDE_INT;
    case ColumnType::real: return TIDE_DOUBLE;
    case ColumnType::text: return TIDE_TEXT;
    case ColumnType::boolean: return TIDE_BOOL;
    case ColumnType::time: return TIDE_TIME;
    case ColumnType::json: return TIDE_JSON;
  }
  return TIDE_TEXT;
}

// The catalogue in C structs. Its texts are views of literals, which are NUL-terminated.
class CRelations {
 public:
  CRelations() {
    const auto catalogue = relations_catalogue();
    relations_.reserve(catalogue.size());
    columns_.reserve(catalogue.size());
    for (const Relation& relation : catalogue) {
      std::vector<tide_column>& columns = columns_.emplace_back();
      for (const Column& column : relation.columns) {
        const bool is_writable = !column.setters.empty();
        columns.push_back({column.name.data(), type_of(column.type), is_writable ? 1 : 0, column.unit.data(),
                           column.meaning.data(), sql_type(column.type).data(),
                           is_writable ? column.setters.front().key.data() : nullptr,
                           column.privacy == Privacy::masked ? 1 : 0, 0});
      }
      relations_.push_back(
          {relation.name.data(), relation.meaning.data(), static_cast<int32_t>(columns.size()), 0, columns.data()});
    }
  }
  const tide_relation* at(int index) const {
    return index >= 0 && static_cast<size_t>(index) < relations_.size() ? &relations_[static_cast<size_t>(index)]
                                                                        : nullptr;
  }

 private:
  std::vector<std::vector<tide_column>> columns_;
  std::vector<tide_relation> relations_;
};

Status unknown_relation(std::string_view typed) {
  std::vector<std::string_view> names;
  std::string list;
  for (const Relation& relation : relations_catalogue()) {
    names.push_back(relation.name);
    list.append(list.empty() ? "" : ", ").append(relation.name);
  }
  return Status::error(Code::not_found, "no relation " + in_quotes(typed), "relations: " + list,
                       did_you_mean(typed, names));
}

// The value at the cursor; nullptr outside of the rows and columns.
const Value* value_at(const tide_cursor* cursor, int column) {
  if (cursor == nullptr || column < 0 || cursor->next == 0 || cursor->next > cursor->rows.size()) return nullptr;
  const Row& row = cursor->rows[cursor->next - 1];
  const auto index = static_cast<size_t>(column);
  return index < row.size() && index < cursor->relation->columns.size() ? &row[index] : nullptr;
}

ColumnType type_at(const tide_cursor* cursor, int column) {
  return cursor->relation->columns[static_cast<size_t>(column)].type;
}

// Times that nanoseconds cannot represent are limited to the last one that they can.
int64_t ns_of_micros(int64_t micros) {
  constexpr int64_t kMicrosMax = std::numeric_limits<int64_t>::max() / 1000;
  if (micros > kMicrosMax) return kMicrosMax * 1000;
  return micros < -kMicrosMax ? -kMicrosMax * 1000 : micros * 1000;
}

std::string shortest(double number) {
  char text[40];
  const auto [end, error] = std::to_chars(text, text + sizeof text, number);
  return error == std::errc{} ? std::string(text, end) : std::string{};
}

std::string as_text(const Value& value, ColumnType type) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    if (type == ColumnType::time) return format_wall_ns(ns_of_micros(*number));
    if (type == ColumnType::boolean) return *number != 0 ? "1" : "0";
    return std::to_string(*number);
  }
  return shortest(std::get<double>(value));
}

}  // namespace

const tide_relation* tide_relation_at(int index) {
  try {
    static const CRelations relations;
    return relations.at(index);
  } catch (...) {
    return nullptr;  // no memory; the next call tries again
  }
}

tide_status tide_cursor_open(const char* relation, const tide_filter* filter, tide_cursor** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (relation == nullptr) return Status::error(Code::bad_argument, "relation is NULL", "", "such as \"pools\"");
    if (out == nullptr)
      return Status::error(Code::bad_argument, "out is NULL", "", "pass the address of a tide_cursor *");
    tide_filter wanted = TIDE_FILTER_INIT;
    if (Status read = read_struct(filter, "tide_filter", wanted); !read) return read;
    auto cursor = std::make_unique<tide_cursor>();
    cursor->relation = find_relation(relation);
    if (cursor->relation == nullptr) return unknown_relation(relation);
    const FleetFilter which{or_empty(wanted.directory), or_empty(wanted.pool), or_empty(wanted.instance_id)};
    if (Status read = read_relation(*cursor->relation, which, cursor->rows); !read) return read;
    cursor->texts.resize(cursor->relation->columns.size());
    *out = cursor.release();
    return Status::ok();
  });
}

int tide_cursor_next(tide_cursor* cursor) {
  if (cursor == nullptr || cursor->next > cursor->rows.size()) return 0;
  return ++cursor->next <= cursor->rows.size() ? 1 : 0;
}

int tide_cursor_is_null(const tide_cursor* cursor, int column) {
  const Value* value = value_at(cursor, column);
  return value == nullptr || is_null(*value) ? 1 : 0;
}

int64_t tide_cursor_int(const tide_cursor* cursor, int column) {
  const Value* value = value_at(cursor, column);
  const auto* number = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  return number == nullptr ? 0 : *number;
}

double tide_cursor_double(const tide_cursor* cursor, int column) {
  const Value* value = value_at(cursor, column);
  const auto* number = value == nullptr ? nullptr : std::get_if<double>(value);
  return number == nullptr ? 0 : *number;
}

const char* tide_cursor_text(const tide_cursor* cursor, int column, size_t* length) {
  if (length != nullptr) *length = 0;
  const Value* value = value_at(cursor, column);
  if (value == nullptr || is_null(*value)) return nullptr;
  try {
    const auto* text = std::get_if<std::string>(value);
    if (text == nullptr) {
      std::string& room = cursor->texts[static_cast<size_t>(column)];
      room = as_text(*value, type_at(cursor, column));
      text = &room;
    }
    if (length != nullptr) *length = text->size();
    return text->c_str();
  } catch (...) {
    return nullptr;  // no memory
  }
}

void tide_cursor_close(tide_cursor* cursor) { delete cursor; }
