#include "orders.hpp"

#include <tidepool/observe.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
std::string usage_of(const Function& function) {
  return std::string("\nUsage: tidepool_") + function.name + "(" + function.usage + ")";
}

[[noreturn]] void fail(const Function& function, const std::string& text) {
  throw Failure{std::string("tidepool_") + function.name + "(): " + text};
}

std::string parameter(const Function& function, int n) {
  std::string_view rest = function.usage;
  for (; n > 0; --n) rest.remove_prefix(rest.find(',') + 1);
  const size_t start = rest.find_first_not_of(" [,");
  const size_t end = rest.find_first_of(" [,]", start);
  return std::string(rest.substr(start, end == std::string_view::npos ? end : end - start));
}

int64_t whole_argument(const Function& function, int n, Arguments values) {
  const auto number = whole_number(values[n]);
  if (!number) {
    fail(function, parameter(function, n) + " must be a whole number, not \"" + text_of(values[n]).value_or("...") +
                       "\"" + usage_of(function));
  }
  return *number;
}

namespace {

std::string duration_json(const Function&, int n, Arguments values) { return json_text(duration_text(values[n])); }

std::string text_argument(const Function& function, int n, Arguments values) {
  auto text = text_of(values[n]);
  if (!text || text->empty()) fail(function, parameter(function, n) + " is empty or no text" + usage_of(function));
  return *std::move(text);
}

Call plain(const Function& function, int, Arguments values) { return {text_argument(function, 0, values), "{}"}; }

Call with_duration(const Function& function, int count, Arguments values) {
  Call call = plain(function, count, values);
  if (count > 1) {
    call.arguments = "{" + json_text(parameter(function, 1)) + ":" + duration_json(function, 1, values) + "}";
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
    const std::vector<Owner> alive = live_pools();
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

// A text as it is; a number or a duration where the pool wants one.
using ToJson = std::string (*)(const Function& function, int n, Arguments values);

std::string text_json(const Function& function, int n, Arguments values) {
  const auto text = text_of(values[n]);
  if (!text) fail(function, parameter(function, n) + " is no text" + usage_of(function));
  return json_text(*text);
}

std::string number_json(const Function& function, int n, Arguments values) {
  const int type = sqlite3_value_numeric_type(values[n]);
  if (type == SQLITE_INTEGER) return std::to_string(sqlite3_value_int64(values[n]));
  const double number = type == SQLITE_FLOAT ? sqlite3_value_double(values[n]) : HUGE_VAL;
  if (!std::isfinite(number)) return text_json(function, n, values);  // what is accepted is the library's to say
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%.17g", number);
  return digits.data();
}

std::string truth_json(const Function& function, int n, Arguments values) {
  const auto number = whole_number(values[n]);
  if (!number || *number < 0 || *number > 1) {
    fail(function, parameter(function, n) + " must be 0 or 1, not \"" + text_of(values[n]).value_or("...") + "\"" +
                       usage_of(function));
  }
  return *number == 1 ? "true" : "false";
}

// Of rules: the pool may be NULL, which is all pools; other arguments that are NULL are not given.
Call about_rule(const Function& function, int count, Arguments values, std::span<const ToJson> kinds) {
  Call call;
  call.is_for_all = sqlite3_value_type(values[0]) == SQLITE_NULL;
  if (!call.is_for_all) call.pool = text_argument(function, 0, values);
  call.arguments = R"({"rule":)" + json_text(text_argument(function, 1, values));
  for (int n = 2; n < count; ++n) {
    if (sqlite3_value_type(values[n]) == SQLITE_NULL) continue;
    const ToJson to_json = kinds[static_cast<size_t>(n) - 2];
    call.arguments += "," + json_text(parameter(function, n)) + ":" + to_json(function, n, values);
  }
  call.arguments += "}";
  return call;
}

Call set_alert(const Function& function, int count, Arguments values) {
  // metric, comparison, threshold, for, severity, enabled, message, advice, clear_at
  constexpr ToJson kKinds[] = {text_json,  text_json, number_json, duration_json, text_json,
                               truth_json, text_json, text_json,   number_json};
  return about_rule(function, count, values, kKinds);
}

Call drop_alert(const Function& function, int count, Arguments values) {
  return about_rule(function, count, values, {});
}

// The number of an alert says whose it is.
Call ack(const Function& function, int, Arguments values) {
  return {std::nullopt, R"({"alert_id":)" + std::to_string(whole_argument(function, 0, values)) + "}"};
}

constexpr std::array<Function, 16> kOrders = {{
    {"scale", "pool, target_size [, reason]", 2, 3, 1U << 1, kAnswerWaitMs, scale},
    {"burst", "pool [, duration]", 1, 2, 0, kAnswerWaitMs, with_duration},
    {"end_burst", "pool", 1, 1, 0, kAnswerWaitMs, plain},
    {"set", "pool, option, value", 3, 3, 0, kAnswerWaitMs, set},
    {"pause", "pool", 1, 1, 0, kAnswerWaitMs, plain},
    {"resume", "pool", 1, 1, 0, kAnswerWaitMs, plain},
    {"recycle", "pool [, spread]", 1, 2, 0, kPromptWaitMs, with_duration},
    {"drain", "pool", 1, 1, 0, kPromptWaitMs, plain},
    {"close_connection", "conn_id [, pool]", 1, 2, 0, kPromptWaitMs, close_connection},
    {"revoke", "lease_id [, pool]", 1, 2, 0, kAnswerWaitMs, revoke},
    {"reset_stats", "pool", 1, 1, 0, kAnswerWaitMs, plain},
    {"check_health", "pool", 1, 1, 0, kAnswerWaitMs, plain},
    {"evaluate", "pool", 1, 1, 0, kAnswerWaitMs, plain},
    {"ack", "alert_id", 1, 1, 0, kAnswerWaitMs, ack},
    {"set_alert", "pool, rule, metric [, comparison, threshold, for, severity, enabled, message, advice, clear_at]", 3,
     11, 0x7FFU & ~2U, kAnswerWaitMs, set_alert},
    {"drop_alert", "pool, rule", 2, 2, 1U, kAnswerWaitMs, drop_alert},
}};

}  // namespace

std::span<const Function> order_functions() { return kOrders; }

std::vector<Owner> live_pools() { return owners_of("pools", "instance_id", std::nullopt); }

}  // namespace tide::sqlite
