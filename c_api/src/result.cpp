// tide_result_*.
#include "result.hpp"

#include <cstddef>
#include <cstring>
#include <string>

#include "guard.hpp"
#include "structs.hpp"

using namespace tide;

int64_t tide_result_rows(const tide_result* r) { return r == nullptr ? 0 : r->table().rows(); }

int64_t tide_result_affected(const tide_result* r) { return r == nullptr ? -1 : r->table().affected(); }

int64_t tide_result_last_insert_id(const tide_result* r) { return r == nullptr ? 0 : r->table().last_insert_id(); }

const char* tide_result_command(const tide_result* r) { return r == nullptr ? nullptr : r->table().command().c_str(); }

const tide_result* tide_result_part(const tide_result* r, int index) {
  if (r == nullptr || index < 0) return nullptr;
  if (!r->is_batch) return index == 0 ? r : nullptr;
  return static_cast<size_t>(index) < r->parts.size() ? &r->parts[static_cast<size_t>(index)] : nullptr;
}

int tide_result_columns(const tide_result* r) { return r == nullptr ? 0 : r->table().columns(); }

const char* tide_result_name(const tide_result* r, int column) {
  return r == nullptr ? nullptr : r->table().name(column);
}

tide_status tide_result_type(const tide_result* r, int column, tide_column_type* out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (r == nullptr || out == nullptr) {
      return Status::error(Code::bad_argument, r == nullptr ? "r is NULL" : "out is NULL");
    }
    tide_column_type type = TIDE_COLUMN_TYPE_INIT;
    if (Status read = read_struct(out, "tide_column_type", type); !read) return read;
    const ResultColumn* found = r->table().column(column);
    if (found == nullptr) {
      return Status::error(
          Code::bad_argument, "column is " + std::to_string(column),
          "accepted: 0 to the number of columns, " + std::to_string(r->table().columns()) + ", less 1");
    }
    const uint32_t size = out->size;
    type = TIDE_COLUMN_TYPE_INIT;
    type.size = size;
    type.oid = found->type_oid;
    type.modifier = found->type_modifier;
    type.declared = found->declared_type.c_str();
    std::memcpy(out, &type, size < sizeof type ? size : sizeof type);
    return Status::ok();
  });
}

tide_value tide_result_value(const tide_result* r, int64_t row, int column) {
  tide_value value = {};
  if (r == nullptr || row < 0 || column < 0) return value;
  const ResultTable& table = r->table();
  if (row >= table.rows() || column >= table.columns()) return value;
  const SqlValue cell = table.cell(row, column);
  switch (cell.kind) {
    case SqlValue::Kind::null: value.type = TIDE_VALUE_NULL; break;
    case SqlValue::Kind::integer:
      value.type = TIDE_INT;
      value.integer = cell.integer;
      break;
    case SqlValue::Kind::boolean:
      value.type = TIDE_BOOL;
      value.integer = cell.integer;
      break;
    case SqlValue::Kind::real:
      value.type = TIDE_DOUBLE;
      value.real = cell.real;
      break;
    case SqlValue::Kind::text:
    case SqlValue::Kind::bytes:
      value.type = cell.kind == SqlValue::Kind::text ? TIDE_TEXT : TIDE_BYTES;
      value.text = cell.data.data() == nullptr ? "" : cell.data.data();
      value.length = cell.data.size();
      break;
  }
  return value;
}

const char* tide_result_text(const tide_result* r, int64_t row, int column) {
  return r == nullptr ? nullptr : r->table().text(row, column);
}

size_t tide_result_length(const tide_result* r, int64_t row, int column) {
  size_t length = 0;
  if (r != nullptr) (void)r->table().text(row, column, &length);
  return length;
}

void tide_result_free(tide_result* r) { delete r; }
