// Call: what the functions of this extension share: the number of their arguments, and errors as those of the statement.
#pragma once

#include <sqlite3ext.h>

#include <string>
#include <utility>
#include <vector>

namespace tide::sqlite {

using Arguments = sqlite3_value**;

struct Failure {
  std::string text;
};

// A function and its parameters.
struct Function {
  std::string name;                                 // without "tidepool_"
  std::vector<std::pair<std::string, bool>> takes;  // a parameter, and whether it is required

  std::string usage() const;
  [[noreturn]] void fail(const std::string& text) const { throw Failure{"tidepool_" + name + "(): " + text}; }
  void check_count(int count) const;
};

// Makes the exception that is being handled the error of the statement.
void report_failure(sqlite3_context* context) noexcept;

// Runs the body of a function; any exception becomes the error of the statement.
template <typename Body>
void answered(sqlite3_context* context, Body&& body) noexcept {
  try {
    body();
  } catch (...) {
    report_failure(context);
  }
}

}  // namespace tide::sqlite
