#include "control.hpp"

#include <tidepool/control.h>
#include <tidepool/observe.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "orders.hpp"
#include "origin.hpp"
#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

constexpr int64_t kInterruptCheckMs = 250;

constexpr Function kWaitApplied = {"wait_applied", "command_id [, timeout]", 1, 2, 0, -1, nullptr};

void check_arguments(const Function& function, int count, Arguments values) {
  if (count < function.arguments_min || count > function.arguments_max) {
    fail(function, "wrong number of arguments: " + std::to_string(count) + usage_of(function));
  }
  for (int i = 0; i < count; ++i) {
    if (sqlite3_value_type(values[i]) != SQLITE_NULL || (function.nullable >> i & 1U) != 0) continue;
    fail(function, parameter(function, i) + " is NULL" + usage_of(function));
  }
}

// Whoever opened the database only to read expects to change nothing, pools included. SQLite refuses an UPDATE by
// itself then, but it cannot know that a function steers.
void check_writable(const Function& function, sqlite3* db) {
  if (sqlite3_db_readonly(db, "main") == 1) {
    fail(function, "this connection is read-only and must not steer\nHint: open it without -readonly");
  }
  sqlite3_stmt* statement = nullptr;
  const bool is_known = sqlite3_prepare_v2(db, "PRAGMA query_only", -1, &statement, nullptr) == SQLITE_OK &&
                        sqlite3_step(statement) == SQLITE_ROW;
  const bool is_query_only = is_known && sqlite3_column_int(statement, 0) != 0;
  sqlite3_finalize(statement);
  if (!is_known) fail(function, "cannot tell whether query_only is on: PRAGMA query_only must be allowed");
  if (is_query_only) {
    fail(function, "query_only is on, so this connection must not steer\nHint: PRAGMA query_only = off");
  }
}

void check_origin(const Function& function, sqlite3* db) {
  if (auto why = refuse_control(db, std::string("tidepool_") + function.name)) fail(function, *why);
}

// Runs the body of a function; whatever goes wrong becomes the error of the statement.
template <typename Body>
void answered(sqlite3_context* context, Body&& body) noexcept {
  try {
    body();
  } catch (const Failure& failure) {
    sqlite3_result_error(context, failure.text.c_str(), -1);
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(context);
  } catch (const std::exception& broken) {
    sqlite3_result_error(context, broken.what(), -1);
  }
}

uint64_t order_one(const Function& function, const Call& call) {
  const std::string actor = actor_name();
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  with.actor = actor.c_str();
  uint64_t command_id = 0;
  tide_error error = TIDE_ERROR_INIT;
  const tide_status status = tide_control_with(call.pool ? call.pool->c_str() : nullptr, function.name,
                                               call.arguments.c_str(), function.wait_ms, &with, &command_id, &error);
  const bool is_pending = status == TIDE_TIMEOUT && command_id != 0;
  if (status != TIDE_OK && !is_pending) fail(function, explain(error));
  return command_id;
}

// One order for each live pool that takes orders of this user; all are posted before the first answer is awaited, and
// the answers have the time of one. Returns the last command.
uint64_t order_all(const Function& function, const Call& call) {
  const std::string actor = actor_name();
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  with.actor = actor.c_str();
  const std::vector<Owner> pools = live_pools();
  std::vector<std::pair<uint64_t, std::string>> posted;  // with the pool's name
  tide_error first = TIDE_ERROR_INIT;                    // why one of them did not take it
  for (const Owner& pool : pools) {
    uint64_t command_id = 0;
    tide_error error = TIDE_ERROR_INIT;
    tide_control_with(pool.instance_id.c_str(), function.name, call.arguments.c_str(), 0, &with, &command_id, &error);
    if (command_id != 0) posted.emplace_back(command_id, pool.pool);
    if (command_id == 0 && first.status == TIDE_OK) first = error;
  }
  if (posted.empty() && first.status == TIDE_BAD_ARGUMENT) fail(function, explain(first));  // the order is wrong
  if (posted.empty()) {
    fail(function, "there is no pool here that this user may steer" +
                       (first.status != TIDE_OK ? "\nDetail: " + explain(first) : std::string()));
  }
  const auto share_ms = std::max<int64_t>(1, function.wait_ms / static_cast<int64_t>(posted.size()));
  size_t refused = 0;
  std::string reason;
  for (const auto& [command_id, pool] : posted) {
    tide_error error = TIDE_ERROR_INIT;
    const tide_status status = tide_wait_applied(command_id, share_ms, nullptr, &error);
    if (status == TIDE_OK || status == TIDE_TIMEOUT) continue;
    if (refused++ == 0) reason = "pool \"" + pool + "\": " + explain(error);
  }
  const std::string counted = std::to_string(posted.size()) + (posted.size() == 1 ? " pool" : " pools");
  if (refused > 0) {
    fail(function, "refused by " + std::to_string(refused) + " of " + counted + "; the first says: " + reason);
  }
  sqlite3_log(SQLITE_NOTICE, "tidepool_%s(): given to %s", function.name, counted.c_str());
  return posted.back().first;
}

void run_order(sqlite3_context* context, int count, Arguments values) {
  answered(context, [&] {
    const auto& function = *static_cast<const Function*>(sqlite3_user_data(context));
    check_origin(function, sqlite3_context_db_handle(context));
    check_arguments(function, count, values);
    check_writable(function, sqlite3_context_db_handle(context));
    const Call call = function.call(function, count, values);
    const uint64_t command_id = call.is_for_all ? order_all(function, call) : order_one(function, call);
    sqlite3_result_int64(context, static_cast<sqlite3_int64>(command_id));
  });
}

// SQLite tells a statement of an interrupt, not a function; so a statement is asked.
bool is_interrupted(sqlite3* db) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(db, "SELECT 1", -1, &statement, nullptr);
  const bool is_hit = code == SQLITE_INTERRUPT || (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_INTERRUPT);
  sqlite3_finalize(statement);
  return is_hit;
}

int64_t timeout_ms(const Function& function, sqlite3_value* value) {
  int64_t us = 0;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_duration_parse(duration_text(value).c_str(), &us, &error) != TIDE_OK) {
    fail(function, "timeout: " + explain(error));
  }
  if (us % 1000 != 0) fail(function, "timeout is finer than a millisecond\nHint: give whole milliseconds");
  return us / 1000;
}

void run_wait_applied(sqlite3_context* context, int count, Arguments values) {
  answered(context, [&] {
    const Function& function = kWaitApplied;
    check_origin(function, sqlite3_context_db_handle(context));
    check_arguments(function, count, values);
    const int64_t id = whole_argument(function, 0, values);
    int64_t wait_ms = kAnswerWaitMs;
    if (count > 1) wait_ms = timeout_ms(function, values[1]);
    tide_error error = TIDE_ERROR_INIT;
    tide_status status = TIDE_TIMEOUT;
    for (bool is_over = false; !is_over;) {
      const int64_t slice_ms = std::min(wait_ms, kInterruptCheckMs);
      status = tide_wait_applied(static_cast<uint64_t>(id), slice_ms, nullptr, &error);
      wait_ms -= slice_ms;
      is_over = status != TIDE_TIMEOUT || wait_ms <= 0;
      if (!is_over && is_interrupted(sqlite3_context_db_handle(context))) {
        sqlite3_result_error_code(context, SQLITE_INTERRUPT);
        return;
      }
    }
    if (status != TIDE_OK && status != TIDE_TIMEOUT) fail(function, explain(error));
    sqlite3_result_int(context, status == TIDE_OK ? 1 : 0);
  });
}

void run_version(sqlite3_context* context, int, Arguments) {
  sqlite3_result_text(context, tide_version(), -1, SQLITE_STATIC);
}

using Run = void (*)(sqlite3_context*, int, sqlite3_value**);

// Any number of arguments (-1), so that a wrong one is answered with the usage.
int define(sqlite3* db, const char* name, int count, int flags, const Function* function, Run run) {
  const std::string full = std::string("tidepool_") + name;
  return sqlite3_create_function_v2(db, full.c_str(), count, SQLITE_UTF8 | flags, const_cast<Function*>(function), run,
                                    nullptr, nullptr, nullptr);
}

}  // namespace

int register_functions(sqlite3* db) {
  int code = define(db, "version", 0, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr, run_version);
  // DIRECTONLY: a trigger or view in a database file somebody sent must not steer a pool.
  if (code == SQLITE_OK) code = define(db, kWaitApplied.name, -1, SQLITE_DIRECTONLY, nullptr, run_wait_applied);
  for (const Function& function : order_functions()) {
    if (code == SQLITE_OK) code = define(db, function.name, -1, SQLITE_DIRECTONLY, &function, run_order);
  }
  return code;
}

void unregister_functions(sqlite3* db) {
  define(db, "version", 0, 0, nullptr, nullptr);
  define(db, kWaitApplied.name, -1, 0, nullptr, nullptr);
  for (const Function& function : order_functions()) define(db, function.name, -1, 0, nullptr, nullptr);
}

}  // namespace tide::sqlite
