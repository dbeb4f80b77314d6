/* Values of the C++ interface: what a cell holds. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/query.h>
#include <tidepool/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tidepool {

/**
 * How values of a type become parameters, and how cells become values of the type. To be specialized for types of the
 * program; for example:
 *
 *   template <>
 *   struct tidepool::codec<money> {
 *     static int64_t encode(const money& m) { return m.cents; }                     // any type that has a codec
 *     static money decode(const tidepool::value& v) { return {v.as<int64_t>()}; }
 *   };
 *
 * encode() is needed for parameters, decode() for results. Further members, where they are true:
 *   static constexpr bool accepts_null   decode() is also called for NULL, which otherwise is a conversion_error
 *   static constexpr bool is_view        the value points into the result
 */
template <typename T>
struct codec {};

class value;

namespace detail {

template <typename T>
concept decodable = requires(const value& from) {
  codec<T>::decode(from);
};

template <typename T>
constexpr bool accepts_null() {
  if constexpr (requires { codec<T>::accepts_null; }) {
    return codec<T>::accepts_null;
  } else {
    return false;
  }
}

inline std::string_view name_of_type(int32_t type) noexcept {
  switch (type) {
    case TIDE_INT: return "an integer";
    case TIDE_DOUBLE: return "a floating-point number";
    case TIDE_TEXT: return "a text";
    case TIDE_BOOL: return "a boolean";
    case TIDE_BYTES: return "bytes";
    case TIDE_VALUE_NULL: return "NULL";
    default: return "no value";
  }
}

}  // namespace detail

/** A cell of a result. It points into the result and is valid as long as that. */
class value {
 public:
  value(const tide_result* from, int64_t row, int column) noexcept
      : result_(from), row_(row), column_(column), content_(tide_result_value(from, row, column)) {}

  /** TIDE_INT, TIDE_DOUBLE, TIDE_TEXT, TIDE_BOOL, TIDE_BYTES or TIDE_VALUE_NULL. */
  int type() const noexcept { return content_.type; }
  bool is_null() const noexcept { return content_.type == TIDE_VALUE_NULL; }
  /** The value as the C API has it. */
  const tide_value& native() const noexcept { return content_; }
  /** A value of any type as text, as the database writes it; empty for NULL. */
  std::string_view text() const noexcept {
    const char* text = tide_result_text(result_, row_, column_);
    return text == nullptr ? std::string_view() : std::string_view(text, tide_result_length(result_, row_, column_));
  }
  /** The number of the column, from 0. */
  int column() const noexcept { return column_; }
  std::string_view column_name() const noexcept {
    const char* name = tide_result_name(result_, column_);
    return name == nullptr ? "" : name;
  }

  /** The value as a T. Throws a conversion_error if it is none. */
  template <typename T>
  T as() const {
    static_assert(detail::decodable<T>,
                  "no tidepool::codec<T> with decode(): specialize it, or use one of the types of the documentation");
    if constexpr (!detail::accepts_null<T>()) {
      if (is_null()) fail("NULL cannot be converted: use std::optional", "22004");
    }
    return codec<T>::decode(*this);
  }

  /** Throw a conversion_error that names the column. For decode() of a codec. */
  [[noreturn]] void fail(std::string_view what, std::string_view sqlstate = "22000") const {
    std::string message = "column " + std::to_string(column_ + 1) + " (\"";
    message.append(column_name()).append("\"): ").append(what);
    tide_error made = detail::make_error(TIDE_BAD_ARGUMENT, sqlstate, message);
    detail::copy_text(made.column_name, column_name());
    throw conversion_error(made);
  }
  /** As fail(), for a value of another type than `wanted`, such as "an integer". */
  [[noreturn]] void fail_type(std::string_view wanted) const {
    std::string what("expected ");
    what.append(wanted).append(", found ").append(detail::name_of_type(content_.type));
    if (!is_null() && content_.type != TIDE_BYTES) what.append(": ").append(excerpt());
    fail(what, "42804");
  }
  /** As fail(), for a value that the type cannot represent. */
  [[noreturn]] void fail_range(std::string_view wanted) const {
    std::string what(excerpt());
    what.append(" is out of range for ").append(wanted);
    fail(what, "22003");
  }

 private:
  std::string excerpt() const {
    constexpr std::size_t kLengthMax = 60;
    const std::string_view whole = text();
    if (whole.size() <= kLengthMax) return std::string(whole);
    return std::string(whole.substr(0, kLengthMax)) + "...";
  }

  const tide_result* result_;
  int64_t row_;
  int column_;
  tide_value content_;
};

}  // namespace tidepool
