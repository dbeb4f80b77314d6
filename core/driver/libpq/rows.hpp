// PgRows: rows that libpq holds, lent to a ResultTable.
//
// Values arrive as text. Those of the types that SqlValue knows are read from it when they are asked for; bytes are
// decoded once and kept.
// Threads: as ResultTable: several may read.
// Failure: a value that cannot be read as its type (a server never sends one) is a text.
#pragma once

#include <libpq-fe.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "pool/ports.hpp"
#include "pool/result_table.hpp"

namespace tide::libpq {

struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

class PgRows final : public RowSource {
 public:
  PgRows() = default;
  explicit PgRows(ResultHandle whole) { add(std::move(whole)); }

  // Rows that follow those that are there, with the same columns.
  void add(ResultHandle part);

  int64_t rows() const override { return rows_; }
  SqlValue cell(int64_t row, int column) const override;
  bool text(int64_t row, int column, std::string_view& out) const override;
  int64_t bytes() const override;

 private:
  struct Place {
    const PGresult* result;
    int row;
  };
  using Decoded = std::map<std::pair<int64_t, int>, std::string>;

  Place place_of(int64_t row) const;
  std::string_view decoded(int64_t row, int column, const char* text) const;

  enum class As : uint8_t { text, integer, real, boolean, bytes };
  static As kind_of(Oid type) noexcept;
  As kind_at(int column) const {
    return column < kNarrow ? kinds_[static_cast<size_t>(column)] : more_kinds_[static_cast<size_t>(column - kNarrow)];
  }

  ResultHandle first_;
  int64_t first_rows_ = 0;
  // Of the columns; those of a narrow table need no allocation.
  static constexpr int kNarrow = 16;
  std::array<As, kNarrow> kinds_ = {};
  std::vector<As> more_kinds_;
  std::vector<ResultHandle> more_;
  std::vector<int64_t> ends_;  // of more_: the number of rows up to and with each
  int64_t rows_ = 0;
  mutable std::mutex mutex_;  // guards decoded_
  mutable std::unique_ptr<Decoded> decoded_;
};

using Columns = std::shared_ptr<const ResultColumns>;
// The columns of a result. `known`: those of the previous one, which are shared if they are the same, else replaced.
void set_columns(const PGresult* result, Columns& known, ResultTable& out);
// Bytes of the values of a result.
size_t bytes_of(const PGresult* result) noexcept;
// 54000 if a result exceeds a limit of the call, or 1 GiB. `limits` may be nullptr.
Status check_size(size_t bytes, int64_t rows, const QueryRequest* limits);
// The first value of the last row, if it is an integer; otherwise 0.
int64_t last_id_in(const PGresult* result) noexcept;

}  // namespace tide::libpq
