#include "pool/result_table.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>

namespace tide {
namespace {

std::string shortest(double number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  return {buffer, static_cast<size_t>(end - buffer)};
}

}  // namespace

std::shared_ptr<const ResultColumns> columns_named(std::initializer_list<std::string_view> names) {
  auto columns = std::make_shared<ResultColumns>();
  for (const std::string_view name : names) columns->emplace_back().name = name;
  return columns;
}

void ResultTable::clear() {
  set_columns(nullptr);
  clear_rows();
  command_.clear();
  transaction_.clear();
  server_.clear();
  affected_ = -1;
  last_insert_id_ = 0;
  is_last_page_ = true;
}

void ResultTable::clear_rows() {
  cells_.clear();
  bytes_.clear();
  source_.reset();
  source_rows_ = 0;
  written_.reset();
}

void ResultTable::cut(int64_t rows) {
  if (source_ != nullptr)
    source_rows_ = std::min(source_rows_, rows);
  else if (rows < this->rows())
    cells_.resize(static_cast<size_t>(rows) * width_);
}

int64_t ResultTable::value_bytes() const {
  if (source_ != nullptr) return source_->bytes();
  size_t bytes = 0;
  for (const Cell& cell : cells_) {
    const bool has_bytes = cell.kind == SqlValue::Kind::text || cell.kind == SqlValue::Kind::bytes;
    bytes += has_bytes ? cell.length : cell.kind == SqlValue::Kind::null ? 0 : sizeof cell.integer;
  }
  return static_cast<int64_t>(bytes);
}

const char* ResultTable::text(int64_t row, int column, size_t* length) const {
  if (row < 0 || row >= rows() || column < 0 || column >= columns()) return nullptr;
  std::string_view out;
  if (source_ == nullptr || !source_->text(row, column, out)) {
    const SqlValue value = cell(row, column);
    if (value.is_null()) return nullptr;
    const bool has_bytes = value.kind == SqlValue::Kind::text || value.kind == SqlValue::Kind::bytes;
    out = has_bytes ? value.data : written(row, column, value);
  }
  if (out.data() == nullptr) return nullptr;
  if (length != nullptr) *length = out.size();
  return out.data();
}

std::string_view ResultTable::written(int64_t row, int column, const SqlValue& value) const {
  static std::mutex mutex;  // of all tables: only readers of one table that need the text of a number meet here
  const std::lock_guard lock(mutex);
  if (written_ == nullptr) written_ = std::make_unique<Written>();
  std::string& text = (*written_)[{row, column}];
  if (text.empty()) {
    if (value.kind == SqlValue::Kind::real)
      text = (write_real_ != nullptr ? write_real_ : shortest)(value.real);
    else
      text = std::to_string(value.integer);
  }
  return text;
}

}  // namespace tide
