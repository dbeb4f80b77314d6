// ResultTable: what a statement returned: columns, typed cells, and what it changed.
//
// The cells are either its own (add_...), in two allocations that grow, or those of a RowSource, which a driver lends so
// that nothing is copied that its library already holds. Every text is NUL-terminated; it may also contain NUL bytes.
// Threads: none of its own. Once complete it may be read by several threads; text() of a number then takes a lock.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/sql_value.hpp"

namespace tide {

struct ResultColumn {
  std::string name;
  std::string declared_type;  // SQLite: as in CREATE TABLE, may be empty; PostgreSQL: empty
  uint32_t type_oid = 0;      // PostgreSQL
  int32_t type_modifier = -1;
};

using ResultColumns = std::vector<ResultColumn>;
// Of names alone.
std::shared_ptr<const ResultColumns> columns_named(std::initializer_list<std::string_view> names);

// Rows that a driver's library holds. Both calls are made with positions inside the table.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual int64_t rows() const = 0;
  virtual SqlValue cell(int64_t row, int column) const = 0;
  // The cell as the database writes it, NUL-terminated; without data for NULL. Valid as long as the source. False: the
  // library has no text for this number, so that the table makes it.
  virtual bool text(int64_t row, int column, std::string_view& out) const = 0;
  // Of the values of all rows; -1: unknown.
  virtual int64_t bytes() const { return -1; }
};

class ResultTable {
 public:
  // How the database writes a number of kind real.
  using WriteReal = std::string (*)(double);

  // ---- by the driver
  void clear();
  // Columns that never change again: many results of a statement share them.
  void set_columns(std::shared_ptr<const ResultColumns> columns) {
    columns_ = std::move(columns);
    width_ = columns_ == nullptr ? 0 : columns_->size();
  }
  const std::shared_ptr<const ResultColumns>& shared_columns() const { return columns_; }
  // Memory for the cells of the first row, at once.
  void expect_row() { cells_.reserve(width_); }
  void add_null() { cells_.push_back({SqlValue::Kind::null, {.integer = 0}, 0}); }
  void add_integer(int64_t number) { cells_.push_back({SqlValue::Kind::integer, {.integer = number}, 0}); }
  void add_real(double number) { cells_.push_back({SqlValue::Kind::real, {.real = number}, 0}); }
  void add_boolean(bool is_true) { cells_.push_back({SqlValue::Kind::boolean, {.integer = is_true ? 1 : 0}, 0}); }
  void add_text(std::string_view text) { add_bytes_as(SqlValue::Kind::text, text); }
  void add_bytes(std::string_view bytes) { add_bytes_as(SqlValue::Kind::bytes, bytes); }
  // Removes all rows after the first `rows`.
  void cut(int64_t rows);
  // Removes the rows, keeps columns and the memory: for the next page of a stream.
  void clear_rows();
  // Takes the place of own cells. The number of its rows stays as it is now.
  void adopt(std::unique_ptr<RowSource> source) {
    source_ = std::move(source);
    source_rows_ = source_ == nullptr ? 0 : source_->rows();
  }
  RowSource* source() { return source_.get(); }
  const RowSource* source() const { return source_.get(); }
  // The rows of the source are others now.
  void source_changed() { written_.reset(); }
  void set_affected(int64_t rows) { affected_ = rows; }
  void set_command(std::string_view command) { command_ = command; }
  void set_last_insert_id(int64_t id) { last_insert_id_ = id; }
  void set_transaction(std::string id, std::string server) {
    transaction_ = std::move(id);
    server_ = std::move(server);
  }
  void set_write_real(WriteReal write) { write_real_ = write; }
  WriteReal write_real() const { return write_real_; }
  void set_last_page(bool is_last) { is_last_page_ = is_last; }

  // ---- by the caller
  int columns() const { return static_cast<int>(width_); }
  int64_t rows() const {
    if (source_ != nullptr) return source_rows_;
    return width_ == 0 ? 0 : static_cast<int64_t>(cells_.size() / width_);
  }
  int64_t affected() const { return affected_; }              // rows changed; -1 if the statement cannot change any
  const std::string& command() const { return command_; }     // the command tag of the database; may be empty
  int64_t last_insert_id() const { return last_insert_id_; }  // 0: unknown
  size_t bytes() const { return bytes_.size(); }              // of own cells
  // Of the values of all rows, a number being 8 bytes unless the database sent it as text; -1: unknown.
  int64_t value_bytes() const;
  bool is_last_page() const { return is_last_page_; }
  // The id of the transaction in which the statement was executed, if it was requested and one was assigned, and the
  // incarnation of the server (QueryRequest::wants_transaction), which is empty if the question was not answered.
  const std::string& transaction() const { return transaction_; }
  const std::string& server() const { return server_; }
  // nullptr if there is no such column.
  const ResultColumn* column(int number) const {
    return number >= 0 && number < columns() ? &(*columns_)[static_cast<size_t>(number)] : nullptr;
  }
  const char* name(int number) const {
    const ResultColumn* found = column(number);
    return found == nullptr ? nullptr : found->name.c_str();
  }
  // NULL for a position outside the table. Valid until the table changes.
  SqlValue cell(int64_t row, int column) const {
    if (row < 0 || column < 0 || column >= columns()) return {};
    if (source_ != nullptr) return row < rows() ? source_->cell(row, column) : SqlValue();
    // Without the division in rows(), which would take longer than the rest.
    const auto number = static_cast<uint64_t>(row);
    if (number >= cells_.size() || number * width_ >= cells_.size()) return {};
    const Cell& cell = own_cell(row, column);
    SqlValue value;
    value.kind = cell.kind;
    switch (cell.kind) {
      case SqlValue::Kind::text:
      case SqlValue::Kind::bytes: value.data = {bytes_.data() + cell.offset, cell.length}; break;
      case SqlValue::Kind::real: value.real = cell.real; break;
      default: value.integer = cell.integer; break;
    }
    return value;
  }
  // As text, NUL-terminated; nullptr for SQL NULL and for a position outside the table. Valid until the table changes.
  const char* text(int64_t row, int column, size_t* length = nullptr) const;

 private:
  struct Cell {
    SqlValue::Kind kind;
    union {
      int64_t integer;
      double real;
      size_t offset;  // in bytes_
    };
    size_t length;
  };
  using Written = std::map<std::pair<int64_t, int>, std::string>;  // texts of numbers, made when they are asked for

  const Cell& own_cell(int64_t row, int column) const {
    return cells_[static_cast<size_t>(row) * width_ + static_cast<size_t>(column)];
  }
  void add_bytes_as(SqlValue::Kind kind, std::string_view bytes) {
    cells_.push_back({kind, {.offset = bytes_.size()}, bytes.size()});
    bytes_.append(bytes);
    bytes_.push_back('\0');
  }
  std::string_view written(int64_t row, int column, const SqlValue& value) const;

  std::shared_ptr<const ResultColumns> columns_;
  size_t width_ = 0;  // how many
  std::vector<Cell> cells_;
  std::string bytes_;
  std::unique_ptr<RowSource> source_;
  int64_t source_rows_ = 0;
  std::string command_;
  std::string transaction_;
  std::string server_;
  int64_t affected_ = -1;
  int64_t last_insert_id_ = 0;
  bool is_last_page_ = true;
  WriteReal write_real_ = nullptr;
  mutable std::unique_ptr<Written> written_;
};

}  // namespace tide
