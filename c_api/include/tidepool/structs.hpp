/* Rows as values, tuples and plain structs. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/query.h>
#include <tidepool/codecs.hpp>
#include <tidepool/error.hpp>
#include <tidepool/value.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tidepool::detail {

// A struct has at most so many members.
inline constexpr std::size_t kMembersMax = 16;

// Initializes a member of any type; never called.
struct any_member {
  template <typename T>
  operator T() const noexcept;
};
template <std::size_t>
using any_member_at = any_member;

template <typename T, std::size_t... Index>
constexpr bool is_initialized_by(std::index_sequence<Index...>) {
  return requires { T{any_member_at<Index>{}...}; };
}

// The number of members of an aggregate: the most initializers that it accepts.
template <typename T, std::size_t Most = kMembersMax + 1>
constexpr std::size_t count_members() {
  if constexpr (Most == 0) {
    return 0;
  } else if constexpr (is_initialized_by<T>(std::make_index_sequence<Most>())) {
    return Most;
  } else {
    return count_members<T, Most - 1>();
  }
}

// References to the members. Only its type is used.
template <std::size_t Members, typename T>
constexpr auto tie_members(T& s) noexcept {
  static_assert(Members >= 1 && Members <= kMembersMax, "a struct for rows has 1 to 16 members");
  // clang-format off
  if constexpr (Members == 1) { auto& [a] = s; return std::tie(a); }
  if constexpr (Members == 2) { auto& [a, b] = s; return std::tie(a, b); }
  if constexpr (Members == 3) { auto& [a, b, c] = s; return std::tie(a, b, c); }
  if constexpr (Members == 4) { auto& [a, b, c, d] = s; return std::tie(a, b, c, d); }
  if constexpr (Members == 5) { auto& [a, b, c, d, e] = s; return std::tie(a, b, c, d, e); }
  if constexpr (Members == 6) { auto& [a, b, c, d, e, f] = s; return std::tie(a, b, c, d, e, f); }
  if constexpr (Members == 7) { auto& [a, b, c, d, e, f, g] = s; return std::tie(a, b, c, d, e, f, g); }
  if constexpr (Members == 8) { auto& [a, b, c, d, e, f, g, h] = s; return std::tie(a, b, c, d, e, f, g, h); }
  if constexpr (Members == 9) { auto& [a, b, c, d, e, f, g, h, i] = s; return std::tie(a, b, c, d, e, f, g, h, i); }
  if constexpr (Members == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = s;
    return std::tie(a, b, c, d, e, f, g, h, i, j);
  }
  if constexpr (Members == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = s;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k);
  }
  if constexpr (Members == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = s;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
  }
  if constexpr (Members == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = s;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
  }
  if constexpr (Members == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = s;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  }
  if constexpr (Members == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = s;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
  }
  if constexpr (Members == 16) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = s;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  }
  // clang-format on
}

template <typename Tuple>
struct without_references;
template <typename... Members>
struct without_references<std::tuple<Members...>> {
  using type = std::tuple<std::remove_cvref_t<Members>...>;
};

// The types of a row's columns, and of the row: one type is itself, a tuple or a struct; several are a tuple.
template <typename... Types>
struct row_of {
  using columns = std::tuple<Types...>;
  using type = std::tuple<Types...>;
};
template <typename T>
struct row_of<T> {
  static_assert(
      decodable<T> || std::is_aggregate_v<T>,
      "a row is read as types that have a tidepool::codec<T> with decode(), or as a plain struct of such types");
  static auto columns_of() {
    if constexpr (decodable<T>) {
      return std::type_identity<std::tuple<T>>();
    } else {
      using members = decltype(tie_members<count_members<T>()>(std::declval<T&>()));
      return std::type_identity<typename without_references<members>::type>();
    }
  }
  using columns = typename decltype(columns_of())::type;
  using type = T;
};
template <typename... Types>
struct row_of<std::tuple<Types...>> : row_of<Types...> {
  using type = std::tuple<Types...>;
};

template <typename T>
constexpr bool is_view_type() {
  if constexpr (requires { codec<T>::is_view; }) {
    return codec<T>::is_view;
  } else {
    return false;
  }
}
template <typename Columns>
struct has_views;
template <typename... Types>
struct has_views<std::tuple<Types...>> : std::bool_constant<(is_view_type<Types>() || ...)> {};

// Reads rows of a result.
template <typename... Types>
struct row_reader {
  using columns = typename row_of<Types...>::columns;
  using type = typename row_of<Types...>::type;
  static constexpr bool is_view = has_views<columns>::value;

  // Throws unless the result has as many columns as there are types.
  static void check(const tide_result* from) {
    constexpr int kTypes = static_cast<int>(std::tuple_size_v<columns>);
    const int found = tide_result_columns(from);
    if (found == kTypes) return;
    throw conversion_error("the statement returned " + std::to_string(found) + (found == 1 ? " column" : " columns") +
                               ", and " + std::to_string(kTypes) + (kTypes == 1 ? " was expected" : " were expected"),
                           "42804");
  }
  static type read(const tide_result* from, int64_t row) {
    return read(from, row, std::make_index_sequence<std::tuple_size_v<columns>>());
  }

 private:
  template <std::size_t... Index>
  static type read(const tide_result* from, int64_t row, std::index_sequence<Index...>) {
    // In braces, so that the columns are read in their order.
    return type{value(from, row, static_cast<int>(Index)).template as<std::tuple_element_t<Index, columns>>()...};
  }
};

}  // namespace tidepool::detail
