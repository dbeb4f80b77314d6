#include "reports.hpp"

#include <tidepool/control.h>
#include <tidepool/export.h>
#include <tidepool/observe.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "call.hpp"
#include "origin.hpp"
#include "values.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

constexpr const char* kAcceptedSince =
    "\nDetail: Accepted: how far back from now, such as '1h', '30min' or a number of milliseconds, or a time up to "
    "now, "
    "such as '2026-01-31 12:00:00Z'.";

struct FreeText {
  void operator()(char* text) const { tide_free(text); }
};
struct FinishStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinishStatement>;

// What the three functions take.
struct Wanted {
  std::string format;
  std::string pool;      // "": all
  int64_t since_ms = 0;  // as tide_export_options.since_ms
};

// Nothing for NULL and for an argument that is not given.
std::optional<std::string> text_given(const Function& function, int count, Arguments values, int place) {
  if (place >= count || sqlite3_value_type(values[place]) == SQLITE_NULL) return std::nullopt;
  auto text = text_of(values[place]);
  if (!text) function.fail(function.takes[static_cast<size_t>(place)].first + " is not a text" + function.usage());
  return text;
}

bool is_like_a_date(std::string_view text) {
  return text.size() >= 10 && text.find_first_not_of("0123456789") == 4 && text[4] == '-' && text[7] == '-';
}

// A time in any form that SQLite reads, as ms since 1970.
int64_t moment_ms(const Function& function, sqlite3* db, const std::string& text) {
  constexpr const char* kMsOf =
      "SELECT CAST(round((julianday(?1) - 2440587.5) * 86400000) AS INTEGER), "
      "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v2(db, kMsOf, -1, &prepared, nullptr);
  const Statement statement(prepared);
  const bool is_read = code == SQLITE_OK &&
                       sqlite3_bind_text(prepared, 1, text.c_str(), -1, SQLITE_TRANSIENT) == SQLITE_OK &&
                       sqlite3_step(prepared) == SQLITE_ROW;
  if (!is_read) function.fail("cannot read the time \"" + text + "\"");
  const int64_t ms = sqlite3_column_int64(prepared, 0);
  if (sqlite3_column_type(prepared, 0) == SQLITE_NULL || ms <= 0) {
    function.fail("since is \"" + text + "\", which is not a time since 1970" + kAcceptedSince);
  }
  if (ms > sqlite3_column_int64(prepared, 1)) {
    function.fail("since is \"" + text + "\", which is in the future" + kAcceptedSince);
  }
  return ms;
}

int64_t since_given(const Function& function, sqlite3_context* context, int count, Arguments values, int place) {
  if (!text_given(function, count, values, place)) return 0;
  const std::string text = duration_text(values[place]);
  if (is_like_a_date(text)) return moment_ms(function, sqlite3_context_db_handle(context), text);
  if (text.starts_with('-')) {
    function.fail("since is \"" + text + "\", which is in the future" + kAcceptedSince);
  }
  int64_t us = 0;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_duration_parse(text.c_str(), &us, &error) != TIDE_OK) {
    function.fail("since: " + std::string(error.message) + kAcceptedSince);
  }
  return -((us + 999) / 1000);
}

// An instance_id, as the commands accept it in place of a name.
bool is_instance_id(const std::string& pool) {
  return pool.size() == 32 && pool.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void answer(const Function& function, sqlite3_context* context, const Wanted& wanted) {
  tide_export_options options = TIDE_EXPORT_OPTIONS_INIT;
  options.flags = TIDE_EXPORT_FOR_SQLITE;
  (is_instance_id(wanted.pool) ? options.instance_id : options.pool) = wanted.pool.c_str();
  options.since_ms = wanted.since_ms;
  char* text = nullptr;
  size_t length = 0;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_export_with(wanted.format.c_str(), &options, &text, &length, &error) != TIDE_OK) {
    function.fail(explain(error));
  }
  const std::unique_ptr<char, FreeText> owned(text);
  sqlite3_result_text64(context, text, length, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void check_call(const Function& function, sqlite3_context* context, int count) {
  if (auto why = refuse_reading(sqlite3_context_db_handle(context), "tidepool_" + function.name)) throw Failure{*why};
  function.check_count(count);
}

}  // namespace

void run_export(sqlite3_context* context, int count, sqlite3_value** values) {
  answered(context, [&] {
    const Function function{"export", {{"format", true}, {"pool", false}, {"since", false}}};
    check_call(function, context, count);
    const auto format = text_given(function, count, values, 0);
    if (!format) function.fail("format is NULL" + function.usage());
    answer(function, context,
           {*format, text_given(function, count, values, 1).value_or(""),
            since_given(function, context, count, values, 2)});
  });
}

void run_health_report(sqlite3_context* context, int count, sqlite3_value** values) {
  answered(context, [&] {
    const Function function{"health_report", {{"pool", false}, {"format", false}}};
    check_call(function, context, count);
    const std::string format = text_given(function, count, values, 1).value_or("text");
    if (format != "text" && format != "json") {
      function.fail("format is \"" + format + "\"\nDetail: Accepted: text, json." + function.usage());
    }
    answer(function, context, {"health_" + format, text_given(function, count, values, 0).value_or(""), 0});
  });
}

void run_dashboard(sqlite3_context* context, int count, sqlite3_value** values) {
  answered(context, [&] {
    const Function function{"dashboard", {{"pool", false}, {"since", false}}};
    check_call(function, context, count);
    answer(function, context,
           {"dashboard", text_given(function, count, values, 0).value_or(""),
            since_given(function, context, count, values, 1)});
  });
}

}  // namespace tide::sqlite
