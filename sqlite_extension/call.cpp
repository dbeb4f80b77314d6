#include "call.hpp"

#include <algorithm>
#include <exception>
#include <new>

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {

std::string Function::usage() const {
  std::string out;
  bool is_open = false;
  for (const auto& [parameter, is_required] : takes) {
    const std::string comma = out.empty() ? "" : ", ";
    out += is_required || is_open ? comma + parameter : (out.empty() ? "[" : " [, ") + parameter;
    is_open = is_open || !is_required;
  }
  return "\nUsage: tidepool_" + name + "(" + out + (is_open ? "])" : ")");
}

void Function::check_count(int count) const {
  const auto least = std::count_if(takes.begin(), takes.end(), [](const auto& p) { return p.second; });
  if (count < least || static_cast<size_t>(count) > takes.size()) {
    fail("wrong number of arguments: " + std::to_string(count) + usage());
  }
}

void report_failure(sqlite3_context* context) noexcept {
  try {
    throw;
  } catch (const Failure& failure) {
    sqlite3_result_error(context, failure.text.c_str(), -1);
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(context);
  } catch (const std::exception& broken) {
    sqlite3_result_error(context, broken.what(), -1);
  } catch (...) {
    sqlite3_result_error(context, "unexpected exception", -1);
  }
}

}  // namespace tide::sqlite
