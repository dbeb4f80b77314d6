/* Parameters of statements. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/query.h>
#include <tidepool/codecs.hpp>
#include <tidepool/error.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace tidepool {

/** A parameter with a name, for a statement with :name. Valid during the call whose argument it is. */
template <typename T>
struct named_argument {
  const char* name;
  const T& content;
};

/**
 * Give a parameter by its name: `pool.query<int64_t>("select id from users where name = :name", arg("name", "ada"))`.
 * All parameters of a statement have names, or none has.
 *
 * @param name     without the colon
 * @param content  of any type that has a codec
 */
template <typename T>
named_argument<T> arg(const char* name, const T& content) noexcept {
  return {name, content};
}

/** The text of a statement: a text, which is referred to, or a view, which is copied. */
class statement_text {
 public:
  statement_text(const char* text) noexcept : text_(text) {}
  statement_text(const std::string& text) : text_(checked(text)) {}
  statement_text(std::string_view text) : copy_(text), text_(checked(copy_)) {}
  statement_text(const statement_text&) = delete;
  statement_text& operator=(const statement_text&) = delete;

  const char* c_str() const noexcept { return text_; }

 private:
  // The rest of the text would be ignored.
  static const char* checked(const std::string& text) {
    if (text.find('\0') != std::string::npos) {
      error(detail::make_error(TIDE_BAD_ARGUMENT, {}, "the statement contains a NUL byte")).raise();
    }
    return text.c_str();
  }

  std::string copy_;
  const char* text_;
};

namespace detail {

template <typename T>
struct is_named : std::false_type {};
template <typename T>
struct is_named<named_argument<T>> : std::true_type {};

template <typename... Arguments>
constexpr bool all_named = sizeof...(Arguments) > 0 && (is_named<Arguments>::value && ...);
template <typename... Arguments>
constexpr bool none_named = (!is_named<Arguments>::value && ...);

template <typename T>
const T& content_of(const T& argument) noexcept {
  return argument;
}
template <typename T>
const T& content_of(const named_argument<T>& argument) noexcept {
  return argument.content;
}

template <typename Argument>
using content_type = std::decay_t<decltype(content_of(std::declval<const Argument&>()))>;

// A parameter and its number, from 1.
template <typename T>
struct numbered {
  int number;
  const T& content;
};

// encode(), with the parameter's number in its errors.
template <typename T, typename Content>
auto encode(int number, const Content& content) {
  static_assert(encodable<T>,
                "no tidepool::codec<T> with encode(): specialize it, or use one of the types of the documentation");
  try {
    return codec<T>::encode(content);
  } catch (const conversion_error& why) {
    tide_error named = why.native();
    copy_text(named.message, "parameter " + std::to_string(number) + ": " + why.what());
    throw conversion_error(named);
  }
}

// A parameter during a call. Keeps what the codec made of it, to which the tide_value may point.
template <typename T>
class bound {
  using encoded = decltype(encode<T>(0, std::declval<const T&>()));

 public:
  template <typename Content>
  explicit bound(const numbered<Content>& from)
      : kept_(encode<T>(from.number, from.content)), inner_(numbered<encoded>{from.number, kept_}) {}
  bound(const bound&) = delete;
  bound& operator=(const bound&) = delete;

  tide_value value() const noexcept { return inner_.value(); }

 private:
  encoded kept_;
  bound<encoded> inner_;
};

// What every codec ends with.
template <>
class bound<tide_value> {
 public:
  explicit bound(const numbered<tide_value>& from) noexcept : value_(from.content) {}
  tide_value value() const noexcept { return value_; }

 private:
  tide_value value_;
};

// The parameters of a call, valid as long as its arguments.
template <typename... Arguments>
class parameters {
  static_assert(all_named<Arguments...> || none_named<Arguments...>, "either all parameters have a name, or none has");

 public:
  explicit parameters(const Arguments&... arguments)
      : parameters(std::index_sequence_for<Arguments...>(), arguments...) {}
  parameters(const parameters&) = delete;
  parameters& operator=(const parameters&) = delete;

  static constexpr int count() noexcept { return static_cast<int>(sizeof...(Arguments)); }
  const tide_value* values() const noexcept { return values_.data(); }
  // nullptr: they have none.
  const char* const* names() const noexcept { return all_named<Arguments...> ? names_.data() : nullptr; }

 private:
  template <std::size_t... Index>
  explicit parameters(std::index_sequence<Index...>, const Arguments&... arguments)
      : bound_(numbered<std::remove_cvref_t<decltype(content_of(arguments))>>{static_cast<int>(Index) + 1,
                                                                              content_of(arguments)}...),
        values_{std::get<Index>(bound_).value()...},
        names_{name_of(arguments)...} {}

  template <typename T>
  static const char* name_of(const T& argument) noexcept {
    if constexpr (is_named<T>::value) return argument.name;
    return nullptr;
  }

  std::tuple<bound<content_type<Arguments>>...> bound_;
  std::array<tide_value, sizeof...(Arguments)> values_;
  std::array<const char*, sizeof...(Arguments)> names_;
};

}  // namespace detail

/** A statement with its parameters, which are copied: for batches, and for calls that last longer than their arguments. */
class statement {
 public:
  template <typename... Arguments>
  statement(const char* sql, const Arguments&... arguments) : sql_(sql) {
    keep(arguments...);
  }
  template <typename... Arguments>
  statement(const std::string& sql, const Arguments&... arguments) : sql_(statement_text(sql).c_str()) {
    keep(arguments...);
  }

  const char* sql() const noexcept { return sql_.c_str(); }
  /** The parameters for the C API, which point into the statement. */
  std::vector<tide_value> values() const {
    std::vector<tide_value> made;
    made.reserve(kept_.size());
    for (const one& parameter : kept_) {
      made.push_back(parameter.value);
      if (made.back().type == TIDE_TEXT || made.back().type == TIDE_BYTES) made.back().text = parameter.text.c_str();
    }
    return made;
  }
  /** The names of the parameters; empty if they have none. */
  std::vector<const char*> names() const {
    std::vector<const char*> made;
    made.reserve(names_.size());
    for (const std::string& name : names_) made.push_back(name.c_str());
    return made;
  }

 private:
  struct one {
    tide_value value;
    std::string text;
  };

  template <typename... Arguments>
  void keep(const Arguments&... arguments) {
    const detail::parameters<Arguments...> made(arguments...);
    for (int i = 0; i < made.count(); ++i) {
      const tide_value& value = made.values()[i];
      const bool has_text = value.type == TIDE_TEXT || value.type == TIDE_BYTES;
      kept_.push_back({value, has_text ? std::string(value.text, value.length) : std::string()});
      if (made.names() != nullptr) names_.emplace_back(made.names()[i]);
    }
  }

  std::string sql_;
  std::vector<one> kept_;
  std::vector<std::string> names_;
};

}  // namespace tidepool
