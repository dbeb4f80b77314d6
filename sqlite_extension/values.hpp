// Values: conversion between SQL and the C API of texts, numbers, arguments of commands, and errors. No state.
#pragma once

#include <sqlite3ext.h>
#include <tidepool/control.h>

#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string>

namespace tide::sqlite {

// A tide_error as a single text, as SQLite requires: the message, then "Detail:" and "Hint:" on separate lines.
std::string explain(const tide_error& error);

// The text of a value (numbers are converted). Nothing for NULL and for texts that contain a NUL byte, which the C API
// would silently truncate.
std::optional<std::string> text_of(sqlite3_value* value);

// Accepts 8, 8.0 and '8', but not 8.5, 'eight', NULL and blobs.
std::optional<int64_t> whole_number(sqlite3_value* value);

// A duration in the library's format: '30s', or a number of milliseconds; the library checks it.
std::string duration_text(sqlite3_value* value);

// A value for a command; owns its text.
struct Given {
  int32_t type = TIDE_VALUE_NONE;
  int64_t integer = 0;
  double real = 0;
  std::string text = {};

  // Borrowed: valid as long as this object.
  tide_value value() const { return {type, 0, integer, real, text.c_str(), 0}; }

  static Given none() { return {}; }
  static Given null() { return {TIDE_VALUE_NULL}; }
  static Given whole(int64_t number) { return {TIDE_INT, number}; }
  static Given of_text(std::string text) { return {TIDE_TEXT, 0, 0, std::move(text)}; }
};

// Converts a value that is not NULL for the argument; the library checks it. Nothing if the value has no valid text,
// such as one that contains a NUL byte.
std::optional<Given> given_by(const tide_argument& argument, sqlite3_value* value);

// Passes `text` to SQLite as the message of a failed virtual table call.
void set_message(sqlite3_vtab* table, const std::string& text) noexcept;

// Runs a callback of a virtual table. SQLite is C: an exception must end here, as a result code.
template <typename Body>
int guarded(sqlite3_vtab* table, Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  } catch (const std::exception& broken) {
    set_message(table, broken.what());
    return SQLITE_ERROR;
  }
}

}  // namespace tide::sqlite
