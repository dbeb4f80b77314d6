#include "service/cache/frozen_table.hpp"

#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace tide {
namespace {

class ShownRows final : public RowSource {
 public:
  explicit ShownRows(std::shared_ptr<const FrozenTable> table) : table_(std::move(table)) {}
  int64_t rows() const override { return table_->rows(); }
  SqlValue cell(int64_t row, int column) const override { return table_->cell(row, column); }
  bool text(int64_t row, int column, std::string_view& out) const override { return table_->text(row, column, out); }

 private:
  const std::shared_ptr<const FrozenTable> table_;
};

bool has_data(SqlValue::Kind kind) { return kind == SqlValue::Kind::text || kind == SqlValue::Kind::bytes; }

// What the database writes for a cell, if the cell does not say it itself.
bool own_text(const RowSource& source, int64_t row, int column, const SqlValue& value, std::string_view& out) {
  if (value.is_null() || value.kind == SqlValue::Kind::text) return false;
  return source.text(row, column, out) && out.data() != nullptr && out.size() < std::numeric_limits<uint32_t>::max();
}

size_t bytes_of(const ResultColumns* columns) {
  if (columns == nullptr) return 0;
  size_t bytes = sizeof(ResultColumns);
  for (const ResultColumn& column : *columns)
    bytes += sizeof(ResultColumn) + column.name.capacity() + column.declared_type.capacity();
  return bytes;
}

}  // namespace

bool FrozenTable::copy(const ResultTable& table, size_t bytes_max) {
  const int64_t rows = table.rows();
  const int columns = table.columns();
  const RowSource* const source = table.source();
  size_t bytes = table.command().capacity() + bytes_of(table.shared_columns().get());
  const size_t cells = static_cast<size_t>(rows) * static_cast<size_t>(columns);
  if (cells > bytes_max / sizeof(Cell)) return false;
  bytes += cells * sizeof(Cell);
  size_t texts = 0;
  std::string_view text;
  for (int64_t row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const SqlValue value = table.cell(row, column);
      if (has_data(value.kind)) texts += value.data.size() + 1;
      if (source != nullptr && own_text(*source, row, column, value, text)) texts += text.size() + 1;
    }
    if (bytes + texts > bytes_max) return false;
  }
  if (bytes + texts > bytes_max) return false;

  block_ = std::make_unique_for_overwrite<std::byte[]>(cells * sizeof(Cell) + texts);
  cells_ = reinterpret_cast<Cell*>(block_.get());
  texts_ = reinterpret_cast<char*>(cells_ + cells);
  size_t used = 0;
  Cell* next = cells_;
  for (int64_t row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const SqlValue value = table.cell(row, column);
      Cell cell{value.kind, false, 0, 0, {.integer = 0}, 0};
      if (has_data(value.kind)) {
        cell.offset = keep(value.data, used);
        cell.length = value.data.size();
      } else if (value.kind == SqlValue::Kind::real) {
        cell.real = value.real;
      } else {
        cell.integer = value.integer;
      }
      if (source != nullptr && own_text(*source, row, column, value, text)) {
        cell.has_text = true;
        cell.text_length = static_cast<uint32_t>(text.size());
        cell.text_offset = keep(text, used);
      }
      new (next++) Cell(cell);
    }
  }
  columns_ = table.shared_columns();
  width_ = static_cast<size_t>(columns);
  rows_ = rows;
  command_ = table.command();
  affected_ = table.affected();
  last_insert_id_ = table.last_insert_id();
  write_real_ = table.write_real();
  bytes_ = bytes + texts;
  return true;
}

size_t FrozenTable::keep(std::string_view text, size_t& used) const {
  const size_t offset = used;
  if (!text.empty()) std::memcpy(texts_ + used, text.data(), text.size());
  texts_[used + text.size()] = '\0';
  used += text.size() + 1;
  return offset;
}

SqlValue FrozenTable::cell(int64_t row, int column) const {
  const Cell& cell = at(row, column);
  SqlValue value;
  value.kind = cell.kind;
  switch (cell.kind) {
    case SqlValue::Kind::text:
    case SqlValue::Kind::bytes: value.data = {texts_ + cell.offset, cell.length}; break;
    case SqlValue::Kind::real: value.real = cell.real; break;
    default: value.integer = cell.integer; break;
  }
  return value;
}

bool FrozenTable::text(int64_t row, int column, std::string_view& out) const {
  const Cell& cell = at(row, column);
  if (cell.has_text) {
    out = {texts_ + cell.text_offset, cell.text_length};
    return true;
  }
  if (cell.kind == SqlValue::Kind::null) {
    out = {};
    return true;
  }
  if (!has_data(cell.kind)) return false;
  out = {texts_ + cell.offset, cell.length};
  return true;
}

void FrozenTable::show(std::shared_ptr<const FrozenTable> table, ResultTable& out) {
  const FrozenTable& shown = *table;
  out.clear();
  // Kept alive by the rows: counting its owners too would make threads that get the same result wait for each other.
  out.set_columns({std::shared_ptr<const void>(), shown.columns_.get()});
  out.adopt(std::make_unique<ShownRows>(std::move(table)));
  out.set_command(shown.command_);
  out.set_affected(shown.affected_);
  out.set_last_insert_id(shown.last_insert_id_);
  out.set_write_real(shown.write_real_);
}

}  // namespace tide
