// FrozenTable: a result that never changes again, in as little memory as possible, for any number of results that show it.
//
// Texts that the database has for its numbers are kept too, so that a result that shows it equals the original.
// Threads: any; it is written once, before others know it. Failure: std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "pool/result_table.hpp"

namespace tide {

class FrozenTable {
 public:
  // Once, before others know it. False: it would need more than `bytes_max`; it remains empty.
  bool copy(const ResultTable& table, size_t bytes_max);

  size_t bytes() const { return bytes_; }  // besides its own
  int64_t rows() const { return rows_; }
  SqlValue cell(int64_t row, int column) const;
  bool text(int64_t row, int column, std::string_view& out) const;

  // Makes `out` show the table. Copies no rows.
  static void show(std::shared_ptr<const FrozenTable> table, ResultTable& out);

 private:
  struct Cell {
    SqlValue::Kind kind;
    bool has_text;         // the database's own, if it is not `data`
    uint32_t text_length;  // of it
    size_t text_offset;    // after texts_
    union {
      int64_t integer;
      double real;
      size_t offset;  // after texts_, of `data`
    };
    size_t length;
  };

  const Cell& at(int64_t row, int column) const {
    return cells_[static_cast<size_t>(row) * width_ + static_cast<size_t>(column)];
  }
  size_t keep(std::string_view text, size_t& used) const;

  std::shared_ptr<const ResultColumns> columns_;
  size_t width_ = 0;
  int64_t rows_ = 0;
  std::unique_ptr<std::byte[]> block_;  // the cells, then the texts: one allocation
  Cell* cells_ = nullptr;
  char* texts_ = nullptr;
  std::string command_;
  int64_t affected_ = -1;
  int64_t last_insert_id_ = 0;
  ResultTable::WriteReal write_real_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace tide
