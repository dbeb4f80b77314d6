/* Results, rows and streams of rows. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/query.h>
#include <tidepool/error.hpp>
#include <tidepool/structs.hpp>
#include <tidepool/value.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace tidepool {

/** A row of a result, valid as long as that. */
class row {
 public:
  row(const tide_result* from, int64_t number) noexcept : result_(from), number_(number) {}

  /** The value of a column, from 0. One that does not exist has the type TIDE_VALUE_NONE. */
  value operator[](int column) const noexcept { return {result_, number_, column}; }
  /** The value of the column with this name. Throws if there is none. */
  inline value operator[](std::string_view name) const;
  /** A value of the row as a T: `row.get<int64_t>("id")`. */
  template <typename T>
  T get(int column) const {
    return (*this)[column].template as<T>();
  }
  template <typename T>
  T get(std::string_view name) const {
    return (*this)[name].template as<T>();
  }
  /** All values, as in query<Types...>(). */
  template <typename... Types>
  auto as() const {
    detail::row_reader<Types...>::check(result_);
    return detail::row_reader<Types...>::read(result_, number_);
  }
  int columns() const noexcept { return tide_result_columns(result_); }

 private:
  const tide_result* result_;
  int64_t number_;
};

namespace detail {

// Reads rows as they are, for results without types.
struct plain_reader {
  using type = row;
  static constexpr bool is_view = true;
  static void check(const tide_result* /*from*/) noexcept {}
  static row read(const tide_result* from, int64_t number) noexcept { return {from, number}; }
};

template <typename... Types>
struct reader_of {
  using type = row_reader<Types...>;
};
template <>
struct reader_of<> {
  using type = plain_reader;
};

// Over the rows of a result. The rows are made as they are read.
template <typename Reader>
class row_iterator {
 public:
  using iterator_concept = std::forward_iterator_tag;
  using iterator_category = std::input_iterator_tag;
  using value_type = typename Reader::type;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = value_type;

  row_iterator() = default;
  row_iterator(const tide_result* from, int64_t number) noexcept : result_(from), number_(number) {}

  value_type operator*() const { return Reader::read(result_, number_); }
  row_iterator& operator++() noexcept {
    ++number_;
    return *this;
  }
  row_iterator operator++(int) noexcept { return {result_, number_++}; }
  bool operator==(const row_iterator&) const noexcept = default;

 private:
  const tide_result* result_ = nullptr;
  int64_t number_ = 0;
};

}  // namespace detail

/** What a statement returned. It belongs to a result, or is valid as long as the C API says. */
class result_view {
 public:
  using iterator = detail::row_iterator<detail::plain_reader>;

  explicit result_view(const tide_result* from = nullptr) noexcept : result_(from) {}

  /** The number of rows. */
  int64_t size() const noexcept { return tide_result_rows(result_); }
  bool empty() const noexcept { return size() == 0; }
  /** Its rows, from 0. */
  row operator[](int64_t number) const noexcept { return {result_, number}; }
  iterator begin() const noexcept { return {result_, 0}; }
  iterator end() const noexcept { return {result_, size()}; }

  int columns() const noexcept { return tide_result_columns(result_); }
  /** The name of a column, from 0; empty if there is no such column. */
  std::string_view column_name(int column) const noexcept {
    const char* name = tide_result_name(result_, column);
    return name == nullptr ? "" : name;
  }
  /** The number of the column with this name. Throws if there is none. */
  int column(std::string_view name) const {
    for (int i = 0; i < columns(); ++i) {
      if (column_name(i) == name) return i;
    }
    std::string known("The columns are ");
    for (int i = 0; i < columns(); ++i) known.append(i == 0 ? "" : ", ").append(column_name(i));
    std::string message("there is no column \"");
    throw conversion_error(message.append(name).append("\" in the result"), "42703", columns() == 0 ? "" : known + ".");
  }
  /** The database's own type of a column. */
  tide_column_type column_type(int column) const {
    tide_column_type type = TIDE_COLUMN_TYPE_INIT;
    detail::call(tide_result_type, result_, column, &type);
    return type;
  }

  /** The number of rows changed, or -1: see tide_result_affected(). */
  int64_t affected() const noexcept { return tide_result_affected(result_); }
  /** The id of the last row inserted, or 0: see tide_result_last_insert_id(). */
  int64_t last_insert_id() const noexcept { return tide_result_last_insert_id(result_); }
  /** What the statement was, such as "INSERT 0 1": see tide_result_command(). */
  std::string_view command() const noexcept {
    const char* command = tide_result_command(result_);
    return command == nullptr ? "" : command;
  }
  /** The result of a statement of a batch, from 0, valid as long as this one. */
  result_view part(int index) const noexcept { return result_view(tide_result_part(result_, index)); }
  /** False: there is no such part. */
  explicit operator bool() const noexcept { return result_ != nullptr; }
  /** For functions of the C API. */
  const tide_result* native() const noexcept { return result_; }

 protected:
  const tide_result* result_;
};

inline value row::operator[](std::string_view name) const { return (*this)[result_view(result_).column(name)]; }

/** A result that is owned: as a result_view, and freed with the object. */
class result : public result_view {
 public:
  result() = default;
  /** Takes the ownership of a result of the C API. */
  explicit result(tide_result* own) noexcept : result_view(own) {}
  result(result&& other) noexcept : result_view(std::exchange(other.result_, nullptr)) {}
  result& operator=(result&& other) noexcept {
    std::swap(result_, other.result_);
    return *this;
  }
  ~result() { tide_result_free(const_cast<tide_result*>(result_)); }
};

/**
 * The rows of a query<Types...>(), a forward range: a single type gives that type, several a std::tuple, a struct its members in
 * the order of the columns. Views in them (std::string_view, std::span) are valid as long as this object.
 */
template <typename... Types>
class rows {
  using reader = detail::row_reader<Types...>;

 public:
  using value_type = typename reader::type;
  using iterator = detail::row_iterator<reader>;

  /** Throws a conversion_error if the result has another number of columns. */
  explicit rows(result own) : result_(std::move(own)) { reader::check(result_.native()); }

  iterator begin() const noexcept { return {result_.native(), 0}; }
  iterator end() const noexcept { return {result_.native(), result_.size()}; }
  int64_t size() const noexcept { return result_.size(); }
  bool empty() const noexcept { return result_.empty(); }
  /** A row, from 0. */
  value_type operator[](int64_t number) const { return reader::read(result_.native(), number); }
  /** Names of columns and everything else. */
  const result_view& raw() const noexcept { return result_; }

 private:
  result result_;
};

/**
 * The rows of a stream<Types...>(), an input range that is read once, page by page, in constant memory. Views in a row are valid
 * until the next one is read. Destroying the object before the end cancels the statement.
 */
template <typename... Types>
class streamed_rows {
  using reader = typename detail::reader_of<Types...>::type;

 public:
  using value_type = typename reader::type;

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = typename reader::type;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = value_type;

    iterator() = default;
    explicit iterator(streamed_rows* of) noexcept : of_(of) {}
    value_type operator*() const { return reader::read(of_->page_, of_->number_); }
    iterator& operator++() {
      of_->advance();
      return *this;
    }
    void operator++(int) { of_->advance(); }
    bool operator==(std::default_sentinel_t /*end*/) const noexcept { return of_->page_ == nullptr; }

   private:
    streamed_rows* of_ = nullptr;
  };

  /** Takes the ownership of rows of the C API. */
  explicit streamed_rows(tide_rows* own) noexcept : rows_(own) {}
  streamed_rows(streamed_rows&& other) noexcept
      : rows_(std::exchange(other.rows_, nullptr)),
        page_(std::exchange(other.page_, nullptr)),
        number_(other.number_),
        is_begun_(other.is_begun_) {}
  streamed_rows& operator=(streamed_rows&& other) noexcept {
    std::swap(rows_, other.rows_);
    std::swap(page_, other.page_);
    std::swap(number_, other.number_);
    std::swap(is_begun_, other.is_begun_);
    return *this;
  }
  ~streamed_rows() { close(); }

  /** Reads the first row. */
  iterator begin() {
    if (!is_begun_) {
      is_begun_ = true;
      next_page();
    }
    return iterator(this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }
  /** End the reading and release the connection; also done at the end of the rows. */
  void close() noexcept {
    tide_rows_close(std::exchange(rows_, nullptr));
    page_ = nullptr;
  }

 private:
  void advance() {
    if (++number_ >= tide_result_rows(page_)) next_page();
  }
  void next_page() {
    number_ = 0;
    page_ = nullptr;
    if (rows_ == nullptr) return;
    const tide_result* page = nullptr;
    detail::call(tide_rows_next, rows_, &page);
    if (page == nullptr) {
      close();
      return;
    }
    reader::check(page);
    page_ = page;
  }

  tide_rows* rows_;
  const tide_result* page_ = nullptr;  // nullptr: past the end
  int64_t number_ = 0;
  bool is_begun_ = false;
};

}  // namespace tidepool
