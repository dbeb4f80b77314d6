// ResultTable: what a statement returned, as text, in two allocations that grow.
//
// A cell is text or SQL NULL. Text may hold any bytes, NUL included; every cell is NUL-terminated as well.
// Threads: none of its own; owned by the caller of the query.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace tide {

class ResultTable {
 public:
  void clear() {
    names_.clear();
    cells_.clear();
    bytes_.clear();
    command_.clear();
    affected_ = -1;
  }
  void add_column(std::string_view name) { names_.emplace_back(name); }
  void add_null() { cells_.push_back({kNull, 0}); }
  void add_text(std::string_view text) {
    cells_.push_back({bytes_.size(), text.size()});
    bytes_.append(text);
    bytes_.push_back('\0');
  }
  void set_affected(int64_t rows) { affected_ = rows; }
  void set_command(std::string_view command) { command_ = command; }

  int columns() const { return static_cast<int>(names_.size()); }
  int64_t rows() const { return names_.empty() ? 0 : static_cast<int64_t>(cells_.size() / names_.size()); }
  int64_t affected() const { return affected_; }           // rows changed; -1 if the statement cannot change any
  const std::string& command() const { return command_; }  // the command tag of the database; may be empty
  size_t bytes() const { return bytes_.size(); }
  const char* name(int column) const {
    return column >= 0 && column < columns() ? names_[static_cast<size_t>(column)].c_str() : nullptr;
  }
  // nullptr for SQL NULL and for a position outside the table. Valid until the table changes.
  const char* text(int64_t row, int column, size_t* length = nullptr) const {
    if (row < 0 || row >= rows() || column < 0 || column >= columns()) return nullptr;
    const Cell& cell = cells_[static_cast<size_t>(row) * names_.size() + static_cast<size_t>(column)];
    if (cell.offset == kNull) return nullptr;
    if (length != nullptr) *length = cell.length;
    return bytes_.data() + cell.offset;
  }

 private:
  static constexpr size_t kNull = std::numeric_limits<size_t>::max();
  struct Cell {
    size_t offset;
    size_t length;
  };
  std::vector<std::string> names_;
  std::vector<Cell> cells_;
  std::string bytes_;
  std::string command_;
  int64_t affected_ = -1;
};

}  // namespace tide
