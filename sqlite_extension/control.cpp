#include "control.hpp"

#include <tidepool/control.h>
#include <tidepool/observe.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

// A refusal should be an error of the statement, so the usual order waits for its answer. What takes its time by nature
// (draining, recycling) is only given the time of a prompt refusal; tidepool_wait_applied() is the barrier.
constexpr int64_t kAnswerWaitMs = 5'000;
constexpr int64_t kPromptWaitMs = 500;
constexpr int64_t kInterruptCheckMs = 250;

struct Failure {
  std::string text;
};

using Arguments = sqlite3_value**;

// What a call asks for, in the words of tide_control().
struct Call {
  std::string pool;
  std::string arguments;
};

// One function. Its parameters stand in the usage, the optional ones in brackets.
struct Function {
  const char* name;   // behind "tidepool_"
  const char* usage;  // what stands between the parentheses
  int arguments_min;
  int arguments_max;
  int nullable;  // the one argument that may be NULL, or -1
  int64_t wait_ms;
  Call (*call)(const Function& function, int count, Arguments values);
};

std::string usage_of(const Function& function) {
  return std::string("\nUsage: tidepool_") + function.name + "(" + function.usage + ")";
}

[[noreturn]] void fail(const Function& function, const std::string& text) {
  throw Failure{std::string("tidepool_") + function.name + "(): " + text};
}

// The name of the n-th parameter, out of "pool, target_size [, reason]".
std::string parameter(const Function& function, int n) {
  std::string_view rest = function.usage;
  for (; n > 0; --n) rest.remove_prefix(rest.find(',') + 1);
  const size_t start = rest.find_first_not_of(" [,");
  const size_t end = rest.find_first_of(" [,]", start);
  return std::string(rest.substr(start, end == std::string_view::npos ? end : end - start));
}

std::string text_argument(const Function& function, int n, Arguments values) {
  auto text = text_of(values[n]);
  if (!text || text->empty()) fail(function, parameter(function, n) + " is empty or no text" + usage_of(function));
  return *std::move(text);
}

int64_t whole_argument(const Function& function, int n, Arguments values) {
  const auto number = whole_number(values[n]);
  if (!number) {
    fail(function, parameter(function, n) + " must be a whole number, not \"" + text_of(values[n]).value_or("...") +
                       "\"" + usage_of(function));
  }
  return *number;
}

// Checked here for its form only; the pool knows the range.
std::string duration_argument(const Function& function, int n, Arguments values) {
  if (!duration_ms(values[n])) {
    fail(function, parameter(function, n) + " \"" + text_of(values[n]).value_or("...") + "\" is no duration" +
                       "\nDetail: accepted: \"500ms\", \"30s\", \"5min\", \"1h\" or a whole number of milliseconds");
  }
  return json_value(values[n]);
}

Call plain(const Function& function, int, Arguments values) { return {text_argument(function, 0, values), "{}"}; }

Call with_duration(const Function& function, int count, Arguments values) {
  Call call = plain(function, count, values);
  if (count > 1) {
    call.arguments = "{" + json_text(parameter(function, 1)) + ":" + duration_argument(function, 1, values) + "}";
  }
  return call;
}

Call scale(const Function& function, int count, Arguments values) {
  Call call = plain(function, count, values);
  const bool is_automatic = sqlite3_value_type(values[1]) == SQLITE_NULL;
  call.arguments = R"({"target_size":)" + (is_automatic ? "null" : std::to_string(whole_argument(function, 1, values)));
  if (count > 2) call.arguments += R"(,"reason":)" + json_text(text_argument(function, 2, values));
  call.arguments += "}";
  return call;
}

Call set(const Function& function, int count, Arguments values) {
  Call call = plain(function, count, values);
  const auto value = text_of(values[2]);  // "" is a value: it is the default of some options
  if (!value) fail(function, "value is no text" + usage_of(function));
  call.arguments =
      R"({"option":)" + json_text(text_argument(function, 1, values)) + R"(,"value":)" + json_text(*value) + "}";
  return call;
}

struct Owner {
  std::string instance_id;
  std::string pool;
};

std::vector<Owner> owners_of(const char* relation, const char* key, std::optional<int64_t> id) {
  std::vector<Owner> owners;
  int instance = -1, pool = -1, wanted = -1, state = -1;
  for (int i = 0; const tide_relation* known = tide_relation_at(i); ++i) {
    if (std::strcmp(known->name, relation) != 0) continue;
    for (int c = 0; c < known->ncolumns; ++c) {
      const std::string_view name = known->columns[c].name;
      if (name == "instance_id") instance = c;
      if (name == "pool") pool = c;
      if (name == key) wanted = c;
      if (name == "state") state = c;
    }
  }
  tide_cursor* rows = nullptr;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_cursor_open(relation, nullptr, &rows, &error) != TIDE_OK) throw Failure{explain(error)};
  struct Closer {
    tide_cursor* rows;
    ~Closer() { tide_cursor_close(rows); }
  } closer{rows};
  const auto text = [&](int column) {
    const char* at = tide_cursor_text(rows, column, nullptr);
    return std::string(at != nullptr ? at : "");
  };
  while (tide_cursor_next(rows) != 0) {
    if (id && tide_cursor_int(rows, wanted) != *id) continue;
    // Asked for pools (no id): those whose owner is gone cannot be meant.
    if (!id && (text(state) == "dead" || text(state) == "closed")) continue;
    owners.push_back({text(instance), text(pool)});
  }
  return owners;
}

// close_connection() and revoke(): the number alone says which pool is meant, unless two pools use it.
Call by_number(const Function& function, int count, Arguments values, const char* relation, const char* key) {
  const int64_t id = whole_argument(function, 0, values);
  Call call;
  call.arguments = "{" + json_text(key) + ":" + std::to_string(id) + "}";
  if (count > 1) {
    call.pool = text_argument(function, 1, values);
    return call;
  }
  std::vector<Owner> owners = owners_of(relation, key, id);
  if (owners.size() > 1) {
    const std::vector<Owner> alive = owners_of("pools", "instance_id", std::nullopt);
    std::erase_if(owners, [&](const Owner& owner) {
      for (const Owner& other : alive) {
        if (other.instance_id == owner.instance_id) return false;
      }
      return true;
    });
  }
  if (owners.empty()) {
    fail(function, std::string("no pool of this host has ") + key + " " + std::to_string(id) +
                       "\nHint: SELECT * FROM tidepool_" + relation);
  }
  if (owners.size() > 1) {
    std::string list;
    for (const Owner& owner : owners) list += "\n  " + owner.instance_id + "  " + owner.pool;
    fail(function, std::string(key) + " " + std::to_string(id) + " exists in " + std::to_string(owners.size()) +
                       " instances\nDetail: they are" + list + "\nHint: give the pool's name or instance_id as well");
  }
  call.pool = owners[0].instance_id;
  return call;
}

Call close_connection(const Function& function, int count, Arguments values) {
  return by_number(function, count, values, "connections", "conn_id");
}

Call revoke(const Function& function, int count, Arguments values) {
  return by_number(function, count, values, "leases", "lease_id");
}

constexpr std::array<Function, 11> kOrders = {{
    {"scale", "pool, target_size [, reason]", 2, 3, 1, kAnswerWaitMs, scale},
    {"burst", "pool [, duration]", 1, 2, -1, kAnswerWaitMs, with_duration},
    {"end_burst", "pool", 1, 1, -1, kAnswerWaitMs, plain},
    {"set", "pool, option, value", 3, 3, -1, kAnswerWaitMs, set},
    {"pause", "pool", 1, 1, -1, kAnswerWaitMs, plain},
    {"resume", "pool", 1, 1, -1, kAnswerWaitMs, plain},
    {"recycle", "pool [, spread]", 1, 2, -1, kPromptWaitMs, with_duration},
    {"drain", "pool", 1, 1, -1, kPromptWaitMs, plain},
    {"close_connection", "conn_id [, pool]", 1, 2, -1, kPromptWaitMs, close_connection},
    {"revoke", "lease_id [, pool]", 1, 2, -1, kAnswerWaitMs, revoke},
    {"reset_stats", "pool", 1, 1, -1, kAnswerWaitMs, plain},
}};

constexpr Function kWaitApplied = {"wait_applied", "command_id [, timeout]", 1, 2, -1, -1, nullptr};

void check_arguments(const Function& function, int count, Arguments values) {
  if (count < function.arguments_min || count > function.arguments_max) {
    fail(function, "wrong number of arguments: " + std::to_string(count) + usage_of(function));
  }
  for (int i = 0; i < count; ++i) {
    if (sqlite3_value_type(values[i]) != SQLITE_NULL || i == function.nullable) continue;
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

void run_order(sqlite3_context* context, int count, Arguments values) {
  answered(context, [&] {
    const auto& function = *static_cast<const Function*>(sqlite3_user_data(context));
    check_arguments(function, count, values);
    check_writable(function, sqlite3_context_db_handle(context));
    const Call call = function.call(function, count, values);
    const std::string actor = actor_name();
    tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
    with.actor = actor.c_str();
    uint64_t command_id = 0;
    tide_error error = TIDE_ERROR_INIT;
    const tide_status status = tide_control_with(call.pool.c_str(), function.name, call.arguments.c_str(),
                                                 function.wait_ms, &with, &command_id, &error);
    const bool is_pending = status == TIDE_TIMEOUT && command_id != 0;
    if (status != TIDE_OK && !is_pending) fail(function, explain(error));
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

void run_wait_applied(sqlite3_context* context, int count, Arguments values) {
  answered(context, [&] {
    const Function& function = kWaitApplied;
    check_arguments(function, count, values);
    const int64_t id = whole_argument(function, 0, values);
    int64_t wait_ms = kAnswerWaitMs;
    if (count > 1) {
      duration_argument(function, 1, values);
      wait_ms = duration_ms(values[1]).value_or(kAnswerWaitMs);
    }
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
  for (const Function& function : kOrders) {
    if (code == SQLITE_OK) code = define(db, function.name, -1, SQLITE_DIRECTONLY, &function, run_order);
  }
  return code;
}

void unregister_functions(sqlite3* db) {
  define(db, "version", 0, 0, nullptr, nullptr);
  define(db, kWaitApplied.name, -1, 0, nullptr, nullptr);
  for (const Function& function : kOrders) define(db, function.name, -1, 0, nullptr, nullptr);
}

}  // namespace tide::sqlite
