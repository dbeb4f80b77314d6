#include "driver/libpq/rows.hpp"

#include <algorithm>
#include <charconv>

#include "driver/libpq/errors.hpp"
#include "driver/libpq/types.hpp"

namespace tide::libpq {
namespace {

constexpr size_t kResultBytesMax = size_t{1} << 30;  // a statement that exceeds it fails

std::string_view text_at(const PGresult* result, int row, int column) noexcept {
  return {PQgetvalue(result, row, column), static_cast<size_t>(PQgetlength(result, row, column))};
}

// A text that is not completely a number stays a text.
template <typename Number>
SqlValue number_in(std::string_view text) noexcept {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end ? SqlValue::of(number) : SqlValue::of_text(text);
}

Status too_large() {
  return own_error("54000", "the result is larger than 1 GiB", "A result is kept in memory completely.",
                   "Request fewer rows, or fetch them in parts with a cursor.");
}

bool is_integer(Oid type) noexcept {
  switch (static_cast<Type>(type)) {
    case Type::int2:
    case Type::int4:
    case Type::int8:
    case Type::oid: return true;
    default: return false;
  }
}

}  // namespace

PgRows::As PgRows::kind_of(Oid type) noexcept {
  switch (static_cast<Type>(type)) {
    case Type::boolean: return As::boolean;
    case Type::float4:
    case Type::float8: return As::real;
    case Type::bytea: return As::bytes;
    default: return is_integer(type) ? As::integer : As::text;
  }
}

void PgRows::add(ResultHandle part) {
  const int64_t count = PQntuples(part.get());
  if (first_ == nullptr) {
    first_ = std::move(part);
    first_rows_ = count;
    const int columns = PQnfields(first_.get());
    for (int c = 0; c < columns; ++c) {
      const As kind = kind_of(PQftype(first_.get(), c));
      if (c < kNarrow) {
        kinds_[static_cast<size_t>(c)] = kind;
      } else {
        more_kinds_.push_back(kind);
      }
    }
  } else {
    ends_.push_back(rows_ + count);
    more_.push_back(std::move(part));
  }
  rows_ += count;
}

PgRows::Place PgRows::place_of(int64_t row) const {
  if (row < first_rows_) return {first_.get(), static_cast<int>(row)};
  const auto found = std::upper_bound(ends_.begin(), ends_.end(), row);
  const int64_t begin = found == ends_.begin() ? first_rows_ : *(found - 1);
  return {more_[static_cast<size_t>(found - ends_.begin())].get(), static_cast<int>(row - begin)};
}

SqlValue PgRows::cell(int64_t row, int column) const {
  const Place at = place_of(row);
  if (PQgetisnull(at.result, at.row, column) != 0) return {};
  const std::string_view text = text_at(at.result, at.row, column);
  switch (kind_at(column)) {
    case As::integer: return number_in<int64_t>(text);
    case As::real: return number_in<double>(text);
    case As::boolean: return SqlValue::of_boolean(text == "t");
    case As::bytes: return SqlValue::of_bytes(decoded(row, column, text.data()));
    case As::text: break;
  }
  return SqlValue::of_text(text);
}

int64_t PgRows::bytes() const {
  size_t bytes = first_ == nullptr ? 0 : bytes_of(first_.get());
  for (const ResultHandle& part : more_) bytes += bytes_of(part.get());
  return static_cast<int64_t>(bytes);
}

bool PgRows::text(int64_t row, int column, std::string_view& out) const {
  const Place at = place_of(row);
  out = PQgetisnull(at.result, at.row, column) != 0 ? std::string_view() : text_at(at.result, at.row, column);
  return true;
}

std::string_view PgRows::decoded(int64_t row, int column, const char* text) const {
  const std::lock_guard lock(mutex_);
  if (decoded_ == nullptr) decoded_ = std::make_unique<Decoded>();
  const auto [found, is_new] = decoded_->try_emplace({row, column});
  if (is_new) {
    size_t length = 0;
    const std::unique_ptr<unsigned char, decltype(&PQfreemem)> bytes(
        PQunescapeBytea(reinterpret_cast<const unsigned char*>(text), &length), PQfreemem);
    if (bytes == nullptr) throw std::bad_alloc();
    found->second.assign(reinterpret_cast<const char*>(bytes.get()), length);
  }
  return found->second;
}

void set_columns(const PGresult* result, Columns& known, ResultTable& out) {
  const auto count = static_cast<size_t>(PQnfields(result));
  bool is_known = known != nullptr && known->size() == count;
  for (size_t i = 0; is_known && i < count; ++i) {
    const ResultColumn& column = (*known)[i];
    const int c = static_cast<int>(i);
    is_known = column.type_oid == PQftype(result, c) && column.type_modifier == PQfmod(result, c) &&
               column.name == PQfname(result, c);
  }
  if (!is_known) {
    auto found = std::make_shared<ResultColumns>(count);
    for (size_t i = 0; i < count; ++i) {
      const int c = static_cast<int>(i);
      (*found)[i] = {PQfname(result, c), "", PQftype(result, c), PQfmod(result, c)};
    }
    known = std::move(found);
  }
  out.set_columns(known);
}

size_t bytes_of(const PGresult* result) noexcept {
  const int rows = PQntuples(result);
  const int columns = PQnfields(result);
  size_t bytes = 0;
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) bytes += static_cast<size_t>(PQgetlength(result, r, c));
  }
  return bytes;
}

Status check_size(size_t bytes, int64_t rows, const QueryRequest* limits) {
  if (limits != nullptr && limits->rows_max > 0 && rows > limits->rows_max) {
    return own_error("54000", "the result has more than " + std::to_string(limits->rows_max) + " rows", "",
                     "Request fewer rows, or raise the limit of the call.");
  }
  if (limits != nullptr && limits->bytes_max > 0 && bytes > static_cast<size_t>(limits->bytes_max)) {
    return own_error("54000", "the result is larger than " + std::to_string(limits->bytes_max) + " bytes", "",
                     "Request fewer rows, or raise the limit of the call.");
  }
  return bytes > kResultBytesMax ? too_large() : Status::ok();
}

int64_t last_id_in(const PGresult* result) noexcept {
  const int rows = PQntuples(result);
  if (rows == 0 || PQnfields(result) == 0 || !is_integer(PQftype(result, 0))) return 0;
  const SqlValue last = number_in<int64_t>(text_at(result, rows - 1, 0));
  return last.kind == SqlValue::Kind::integer ? last.integer : 0;
}

}  // namespace tide::libpq
