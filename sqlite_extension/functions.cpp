#include "functions.hpp"

#include <tidepool/control.h>
#include <tidepool/observe.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "call.hpp"
#include "origin.hpp"
#include "reports.hpp"
#include "values.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

Function function_of(const tide_verb& verb) {
  Function out{verb.name, {}};
  for (int i = 0; i < verb.narguments; ++i) {
    out.takes.emplace_back(verb.arguments[i].name, verb.arguments[i].is_required != 0);
  }
  if (verb.pool_place >= 0) out.takes.emplace(out.takes.begin() + verb.pool_place, "pool", verb.pool_place == 0);
  return out;
}

// A read-only connection must not change anything, including pools. SQLite refuses UPDATE by itself then, but does not
// know which functions issue commands.
void check_writable(const Function& function, sqlite3* db) {
  if (sqlite3_db_readonly(db, "main") == 1) {
    function.fail("this connection is read-only and cannot control pools\nHint: open it without -readonly");
  }
  sqlite3_stmt* statement = nullptr;
  const bool is_known = sqlite3_prepare_v2(db, "PRAGMA query_only", -1, &statement, nullptr) == SQLITE_OK &&
                        sqlite3_step(statement) == SQLITE_ROW;
  const bool is_query_only = is_known && sqlite3_column_int(statement, 0) != 0;
  sqlite3_finalize(statement);
  if (!is_known) function.fail("cannot tell whether query_only is on: PRAGMA query_only must be allowed");
  if (is_query_only) {
    function.fail("query_only is on: this connection cannot control pools\nHint: PRAGMA query_only = off");
  }
}

void check_origin(const Function& function, sqlite3* db) {
  if (auto why = refuse_command(db, "tidepool_" + function.name)) function.fail(*why);
}

// The contents of a call: the pool, and the values in the order of the verb's arguments.
struct Call {
  std::optional<std::string> pool;
  std::vector<Given> values;
};

Given given_of(const Function& function, const tide_argument& argument, sqlite3_value* value) {
  if (sqlite3_value_type(value) == SQLITE_NULL) {
    if (argument.is_nullable != 0) return Given::null();
    if (argument.is_required == 0) return Given::none();
    function.fail(std::string(argument.name) + " is NULL" + function.usage());
  }
  auto given = given_by(argument, value);
  if (argument.type == TIDE_BOOL && (!given || given->type != TIDE_BOOL)) {
    function.fail(std::string(argument.name) + " must be 0 or 1, not \"" + text_of(value).value_or("...") + "\"" +
                  function.usage());
  }
  if (!given) function.fail(std::string(argument.name) + " is not a text" + function.usage());
  return *std::move(given);
}

std::optional<std::string> pool_of(const Function& function, const tide_verb& verb, sqlite3_value* value) {
  if (sqlite3_value_type(value) == SQLITE_NULL) {
    if (verb.sent_to != TIDE_TO_POOL) return std::nullopt;
    function.fail("pool is NULL" + function.usage());
  }
  auto pool = text_of(value);
  if (!pool || pool->empty()) function.fail("pool is empty or not a text" + function.usage());
  return pool;
}

Call call_of(const Function& function, const tide_verb& verb, int count, Arguments values) {
  Call call;
  for (int i = 0; i < count; ++i) {
    if (i == verb.pool_place) {
      call.pool = pool_of(function, verb, values[i]);
    } else {
      call.values.push_back(given_of(function, verb.arguments[call.values.size()], values[i]));
    }
  }
  return call;
}

// Returns the number of the last command.
uint64_t give(const Function& function, const tide_verb& verb, const Call& call) {
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  with.via = "sqlite";
  tide_command command = TIDE_COMMAND_INIT;
  command.verb = verb.name;
  command.pool = call.pool ? call.pool->c_str() : nullptr;
  for (const Given& each : call.values) command.values[command.nvalues++] = each.value();
  tide_command* const one = &command;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_control_batch(&one, 1, TIDE_BATCH_POST, -1, &with, &error) != TIDE_OK) function.fail(explain(error));
  if (!call.pool && verb.sent_to == TIDE_TO_EVERY_POOL) {
    sqlite3_log(SQLITE_NOTICE, "tidepool_%s(): sent to %d %s", verb.name, command.pools,
                command.pools == 1 ? "pool" : "pools");
  }
  return command.command_id;
}

void run_command(sqlite3_context* context, int count, Arguments values) {
  answered(context, [&] {
    const auto& verb = *static_cast<const tide_verb*>(sqlite3_user_data(context));
    const Function function = function_of(verb);
    check_origin(function, sqlite3_context_db_handle(context));
    function.check_count(count);
    check_writable(function, sqlite3_context_db_handle(context));
    const uint64_t command = give(function, verb, call_of(function, verb, count, values));
    sqlite3_result_int64(context, static_cast<sqlite3_int64>(command));
  });
}

// SQLite reports an interrupt to statements but not to functions; so a statement is run to detect it.
int is_interrupted(void* context) {
  auto* const db = static_cast<sqlite3*>(context);
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(db, "SELECT 1", -1, &statement, nullptr);
  const bool is_hit = code == SQLITE_INTERRUPT || (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_INTERRUPT);
  sqlite3_finalize(statement);
  return is_hit ? 1 : 0;
}

int64_t timeout_ms(const Function& function, sqlite3_value* value) {
  int64_t us = 0;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_duration_parse(duration_text(value).c_str(), &us, &error) != TIDE_OK) {
    function.fail("timeout: " + explain(error));
  }
  if (us % 1000 != 0) function.fail("timeout is finer than a millisecond\nHint: give whole milliseconds");
  return us / 1000;
}

void run_wait_applied(sqlite3_context* context, int count, Arguments values) {
  answered(context, [&] {
    const Function function{"wait_applied", {{"command_id", true}, {"timeout", false}}};
    check_origin(function, sqlite3_context_db_handle(context));
    function.check_count(count);
    for (int i = 0; i < count; ++i) {
      const std::string& parameter = function.takes[static_cast<size_t>(i)].first;
      if (sqlite3_value_type(values[i]) == SQLITE_NULL) function.fail(parameter + " is NULL" + function.usage());
    }
    const auto id = whole_number(values[0]);
    if (!id) {
      function.fail("command_id must be a whole number, not \"" + text_of(values[0]).value_or("...") + "\"" +
                    function.usage());
    }
    const int64_t wait_ms = count > 1 ? timeout_ms(function, values[1]) : -1;
    sqlite3* const db = sqlite3_context_db_handle(context);
    tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
    with.is_interrupted = is_interrupted;
    with.context = db;
    tide_error error = TIDE_ERROR_INIT;
    const tide_status status = tide_wait_applied(static_cast<uint64_t>(*id), wait_ms, &with, &error);
    if (status == TIDE_TIMEOUT && is_interrupted(db) != 0) {
      sqlite3_result_error_code(context, SQLITE_INTERRUPT);
      return;
    }
    if (status != TIDE_OK && status != TIDE_TIMEOUT) function.fail(explain(error));
    sqlite3_result_int(context, status == TIDE_OK ? 1 : 0);
  });
}

void run_version(sqlite3_context* context, int, Arguments) {
  sqlite3_result_text(context, tide_version(), -1, SQLITE_STATIC);
}

using Run = void (*)(sqlite3_context*, int, sqlite3_value**);

// ---- tidepool_health() ------------------------------------------------------------------------------------

struct CloseCursor {
  void operator()(tide_cursor* cursor) const { tide_cursor_close(cursor); }
};
using Rows = std::unique_ptr<tide_cursor, CloseCursor>;

int column_of(const char* relation, const char* name) {
  for (int i = 0; const tide_relation* each = tide_relation_at(i); ++i) {
    if (std::string_view(each->name) != relation) continue;
    for (int column = 0; column < each->ncolumns; ++column) {
      if (std::string_view(each->columns[column].name) == name) return column;
    }
  }
  return -1;
}

std::string cell_of(const Rows& rows, int column) {
  const char* text = tide_cursor_text(rows.get(), column, nullptr);
  return text != nullptr ? text : "null";
}

// The least healthy of the instances of this name, as {"healthy":...,"status":...,"issues":[...],...}.
std::string worst_health(const char* pool) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.pool = pool;
  tide_cursor* cursor = nullptr;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_cursor_open("health", &filter, &cursor, &error) != TIDE_OK) throw Failure{explain(error)};
  const Rows rows(cursor);
  constexpr std::string_view kWords[] = {"healthy", "degraded", "unhealthy"};
  const int status_column = column_of("health", "status");
  size_t worst = 0;
  std::string json;
  while (tide_cursor_next(cursor) != 0) {
    const std::string status = cell_of(rows, status_column);
    size_t how_bad = 0;
    while (how_bad + 1 < std::size(kWords) && kWords[how_bad] != status) ++how_bad;
    if (!json.empty() && how_bad <= worst) continue;
    worst = how_bad;
    json = std::string("{\"healthy\":") + (how_bad == 0 ? "true" : "false") + ",\"status\":\"" + status + "\"";
    for (const char* name : {"issues", "recommendations", "checks"}) {
      json += std::string(",\"") + name + "\":" + cell_of(rows, column_of("health", name));
    }
    json += "}";
  }
  if (json.empty()) throw Failure{"tidepool_health(): no pool \"" + std::string(pool) + "\""};
  return json;
}

void run_health(sqlite3_context* context, int, Arguments values) {
  answered(context, [&] {
    if (auto why = refuse_reading(sqlite3_context_db_handle(context), "tidepool_health")) throw Failure{*why};
    const auto pool = text_of(values[0]);
    if (!pool || pool->empty()) throw Failure{"tidepool_health(): pool is NULL or empty"};
    const std::string json = worst_health(pool->c_str());
    sqlite3_result_text(context, json.c_str(), static_cast<int>(json.size()), SQLITE_TRANSIENT);
  });
}

// ---- registration --------------------------------------------------------------------------------------------------------

// Accepts any number of arguments (-1), so that the error for a wrong number shows the usage.
int define(sqlite3* db, const char* name, int count, int flags, const tide_verb* verb, Run run) {
  const std::string full = std::string("tidepool_") + name;
  return sqlite3_create_function_v2(db, full.c_str(), count, SQLITE_UTF8 | flags, const_cast<tide_verb*>(verb), run,
                                    nullptr, nullptr, nullptr);
}

}  // namespace

int register_functions(sqlite3* db) {
  int code = define(db, "version", 0, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr, run_version);
  // DIRECTONLY: a trigger or view in an untrusted database file must not control a pool.
  if (code == SQLITE_OK) code = define(db, "wait_applied", -1, SQLITE_DIRECTONLY, nullptr, run_wait_applied);
  for (int i = 0; const tide_verb* verb = tide_verb_at(i); ++i) {
    if (code == SQLITE_OK) code = define(db, verb->name, -1, SQLITE_DIRECTONLY, verb, run_command);
  }
  if (code == SQLITE_OK) code = define(db, "health", 1, SQLITE_DIRECTONLY, nullptr, run_health);
  for (const Report& report : kReports) {
    if (code == SQLITE_OK) code = define(db, report.name, -1, SQLITE_DIRECTONLY, nullptr, report.run);
  }
  return code;
}

void unregister_functions(sqlite3* db) {
  define(db, "version", 0, 0, nullptr, nullptr);
  define(db, "wait_applied", -1, 0, nullptr, nullptr);
  for (int i = 0; const tide_verb* verb = tide_verb_at(i); ++i) define(db, verb->name, -1, 0, nullptr, nullptr);
  define(db, "health", 1, 0, nullptr, nullptr);
  for (const Report& report : kReports) define(db, report.name, -1, 0, nullptr, nullptr);
}

}  // namespace tide::sqlite
