#include "calls.hpp"

#include <cstring>
#include <string>

#include "cancel.hpp"
#include "structs.hpp"

namespace tide {
namespace {

constexpr int64_t kRowsMax = 2'147'483'647;

const char* type_name(int32_t type) {
  switch (type) {
    case TIDE_TIME: return "TIDE_TIME";
    case TIDE_JSON: return "TIDE_JSON";
    case TIDE_DURATION: return "TIDE_DURATION";
    case TIDE_ANY: return "TIDE_ANY";
    default: return nullptr;
  }
}

// `number`: of the parameter, from 1.
Status refuse_value(size_t number, const std::string& what) {
  return Status::error(
      Code::bad_argument, "parameter " + std::to_string(number) + " " + what,
      "accepted: TIDE_INT, TIDE_DOUBLE, TIDE_TEXT, TIDE_BOOL, TIDE_BYTES, TIDE_VALUE_NULL",
      "use tide_value_int(), tide_value_text() and the like; pass times, durations and JSON as TIDE_TEXT");
}

Status translate_value(const tide_value& value, size_t number, SqlValue& out) {
  switch (value.type) {
    case TIDE_VALUE_NULL: out = SqlValue::null(); return Status::ok();
    case TIDE_INT: out = SqlValue::of(value.integer); return Status::ok();
    case TIDE_DOUBLE: out = SqlValue::of(value.real); return Status::ok();
    case TIDE_BOOL: out = SqlValue::of_boolean(value.integer != 0); return Status::ok();
    case TIDE_TEXT:
      if (value.text == nullptr) return refuse_value(number, "is TIDE_TEXT, but its text is NULL");
      out = SqlValue::of_text(text_of(value));
      return Status::ok();
    case TIDE_BYTES:
      if (value.text == nullptr && value.length != 0) {
        return refuse_value(number,
                            "is TIDE_BYTES, but its text is NULL and its length " + std::to_string(value.length));
      }
      out =
          SqlValue::of_bytes(value.text == nullptr ? std::string_view("") : std::string_view(value.text, value.length));
      return Status::ok();
    case TIDE_VALUE_NONE: return refuse_value(number, "is TIDE_VALUE_NONE, not a value");
    default: {
      const char* name = type_name(value.type);
      return refuse_value(number, name != nullptr ? "has type " + std::string(name)
                                                  : "has an unknown type, " + std::to_string(value.type));
    }
  }
}

Status check_text(const char* sql, int nparams, bool has_params) {
  if (sql == nullptr) return Status::error(Code::bad_argument, "sql is NULL", "accepted: one statement", "");
  if (nparams < 0 || nparams > kParametersMax || (nparams > 0 && !has_params)) {
    return Status::error(Code::bad_argument,
                         "nparams is " + std::to_string(nparams) + (has_params ? "" : " and params is NULL"),
                         "accepted: 0 to " + std::to_string(kParametersMax) + ", with as many params");
  }
  return Status::ok();
}

Placeholders style_of(const tide_query_options& with) {
  switch (with.placeholders) {
    case TIDE_PLACEHOLDERS_NAMED: return Placeholders::named;
    case TIDE_PLACEHOLDERS_NATIVE: return Placeholders::native;
    default: return Placeholders::numbered;
  }
}

Status refuse_number(const char* what, int64_t number, const char* accepted) {
  return Status::error(Code::bad_argument, std::string(what) + " is " + std::to_string(number),
                       "accepted: " + std::string(accepted));
}

}  // namespace

void Statements::fill(Call& call, Call::Kind kind, const char* sql, int nparams, const SqlValue* values,
                      const tide_query_options& with) {
  call.kind = kind;
  call.sql = sql;
  call.params = {values, static_cast<size_t>(nparams)};
  call.placeholders = style_of(with);
  if (call.placeholders == Placeholders::named) call.names = {names_.data(), static_cast<size_t>(nparams)};
  call.rows_max = with.max_rows;
  call.bytes_max = with.max_bytes;
}

Status Statements::fill(Call& call, Call::Kind kind, const char* sql, int nparams, const tide_value* params,
                        SqlValue* values, const tide_query_options& with) {
  for (int i = 0; i < nparams; ++i) {
    Status translated = translate_value(params[i], static_cast<size_t>(i) + 1, values[i]);
    if (!translated) return translated;
  }
  if (Status named = add_names(nparams, with); !named) return named;
  fill(call, kind, sql, nparams, values, with);
  return Status::ok();
}

Status Statements::add_names(int nparams, const tide_query_options& with) {
  if (with.placeholders != TIDE_PLACEHOLDERS_NAMED || nparams == 0) return Status::ok();
  if (with.names == nullptr) {
    return Status::error(Code::bad_argument, "names is NULL", "accepted: a name for each parameter",
                         "set tide_query_options.names");
  }
  for (size_t i = names_.size(); i < static_cast<size_t>(nparams); ++i) {
    if (with.names[i] == nullptr) {
      return Status::error(Code::bad_argument, "the name of parameter " + std::to_string(i + 1) + " is NULL",
                           "accepted: a name for each parameter");
    }
    names_.emplace_back(with.names[i]);
  }
  return Status::ok();
}

SqlValue* Statements::room_for(int nparams) {
  if (nparams <= kFew) return few_.data();
  values_.resize(static_cast<size_t>(nparams));
  return values_.data();
}

Status Statements::set(Call::Kind kind, const char* sql, int nparams, const tide_value* params,
                       const tide_query_options& with) {
  if (Status checked = check_text(sql, nparams, params != nullptr); !checked) return checked;
  return fill(one_, kind, sql, nparams, params, room_for(nparams), with);
}

Status Statements::set_texts(const char* sql, int nparams, const char* const* params) {
  if (Status checked = check_text(sql, nparams, params != nullptr); !checked) return checked;
  const tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  SqlValue* const values = room_for(nparams);
  for (int i = 0; i < nparams; ++i) values[i] = SqlValue::of_text_or_null(params[i]);
  fill(one_, Call::Kind::query, sql, nparams, values, with);
  return Status::ok();
}

Status Statements::set_batch(const tide_statement* statements, int count, const tide_query_options& with) {
  if (count < 0 || count > kBatchMax || (count > 0 && statements == nullptr)) {
    return Status::error(Code::bad_argument,
                         "count is " + std::to_string(count) + (statements == nullptr ? " and statements is NULL" : ""),
                         "accepted: 0 to 100000, with as many statements");
  }
  const auto of_batch = [](Status why, int i) {
    why.text().message = "statement " + std::to_string(i + 1) + ": " + why.message();
    return why;
  };
  size_t values = 0;
  int most = 0;
  for (int i = 0; i < count; ++i) {
    const tide_statement& one = statements[i];
    if (Status checked = check_text(one.sql, one.nparams, one.params != nullptr); !checked) {
      return of_batch(std::move(checked), i);
    }
    values += static_cast<size_t>(one.nparams);
    most = one.nparams > most ? one.nparams : most;
  }
  // Calls point into these, so they get their final places first.
  values_.resize(values);
  if (with.placeholders == TIDE_PLACEHOLDERS_NAMED) names_.reserve(static_cast<size_t>(most));
  calls_.resize(static_cast<size_t>(count));
  SqlValue* room = values_.data();
  for (int i = 0; i < count; ++i) {
    const tide_statement& one = statements[i];
    Status filled =
        fill(calls_[static_cast<size_t>(i)], Call::Kind::execute, one.sql, one.nparams, one.params, room, with);
    if (!filled) return of_batch(std::move(filled), i);
    room += one.nparams;
  }
  return Status::ok();
}

void Statements::keep() {
  const std::span<Call> calls = calls_.empty() ? std::span<Call>(&one_, 1) : std::span<Call>(calls_);
  const std::span<SqlValue> values = values_.empty() ? std::span<SqlValue>(few_) : std::span<SqlValue>(values_);
  size_t bytes = 0;
  for (const Call& call : calls) bytes += call.sql.size();
  for (const SqlValue& value : values) bytes += value.data.size();
  for (const std::string_view name : names_) bytes += name.size();
  kept_.resize(bytes);
  char* to = kept_.data();
  const auto copy = [&to](std::string_view& text) {
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    text = {to, text.size()};
    to += text.size();
  };
  for (Call& call : calls) copy(call.sql);
  for (SqlValue& value : values) copy(value.data);
  for (std::string_view& name : names_) copy(name);
}

Status check_timeout(int64_t timeout_ms) {
  if (timeout_ms <= kDayMs) return Status::ok();
  return Status::error(Code::bad_argument, "timeout_ms is " + std::to_string(timeout_ms),
                       "accepted: 0 to 86400000, or negative for the pool's own", "the maximum is one day");
}

Status read_query_options(const tide_query_options* with, tide_query_options& out, Caching caching) {
  if (Status read = read_struct(with, "tide_query_options", out); !read) return read;
  if (out.mode != TIDE_READ_WRITE && out.mode != TIDE_READ) {
    return refuse_number("mode", out.mode, "TIDE_READ_WRITE, TIDE_READ");
  }
  if (out.placeholders < TIDE_PLACEHOLDERS_NUMBERED || out.placeholders > TIDE_PLACEHOLDERS_NATIVE) {
    return refuse_number("placeholders", out.placeholders,
                         "TIDE_PLACEHOLDERS_NUMBERED, TIDE_PLACEHOLDERS_NAMED, TIDE_PLACEHOLDERS_NATIVE");
  }
  if (Status checked = check_priority(out.priority); !checked) return checked;
  if (out.max_rows < 0 || out.max_rows > kRowsMax) return refuse_number("max_rows", out.max_rows, "0 to 2147483647");
  if (out.max_bytes < 0) return refuse_number("max_bytes", out.max_bytes, "0 or more");
  if (Status checked = check_timeout(out.timeout_ms); !checked) return checked;
  return check_cache(out, caching);
}

Status read_waiting_options(const tide_query_options* with, tide_query_options& out) {
  Status read = read_query_options(with, out);
  return read ? refuse_callback(out) : read;
}

Status refuse_callback(const tide_query_options& with) {
  if (with.callback == nullptr) return Status::ok();
  return Status::error(Code::bad_argument, "tide_query_options.callback is set",
                       "this function has no asynchronous form", "set it to NULL");
}

Status check_priority(int32_t priority) {
  if (priority == TIDE_NORMAL || priority == TIDE_CRITICAL) return Status::ok();
  return refuse_number("priority", priority, "TIDE_NORMAL, TIDE_CRITICAL");
}

CallTerms terms_of(const tide_query_options& with) {
  CallTerms terms;
  terms.mode = with.mode == TIDE_READ ? LeaseMode::read : LeaseMode::read_write;
  terms.timeout = timeout_of(with.timeout_ms);
  terms.tag = with.tag == nullptr ? "" : with.tag;
  terms.retry_attempts = with.retry_attempts;
  terms.priority = priority_of(with.priority);
  terms.cancel = token_of(with.cancel);
  terms.cache = cache_terms_of(with);
  return terms;
}

}  // namespace tide
