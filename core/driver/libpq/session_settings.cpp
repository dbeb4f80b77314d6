#include "driver/libpq/session_settings.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace tide::libpq {
namespace {

std::vector<std::string> split_at_blanks(std::string_view text) {
  std::vector<std::string> out;
  bool is_within = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_blank(text[i])) {
      is_within = false;
      continue;
    }
    if (!is_within) out.emplace_back();
    is_within = true;
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out.back().push_back(text[i]);
  }
  return out;
}

// E'...', which is read in the same way whatever standard_conforming_strings is.
std::string quoted(std::string_view text) { return "E" + sql_quoted(text, '\'', "\\"); }

}  // namespace

SessionSettings session_settings(const Policy& policy) {
  SessionSettings out;
  const auto add = [&](const char* name, Span span) {
    if (!span.is_zero()) out.emplace_back(name, std::to_string(span.ms()));
  };
  add("statement_timeout", policy.statement_timeout);
  add("idle_in_transaction_session_timeout", policy.idle_in_transaction_timeout);
  return out;
}

Result<SessionSettings> settings_in(std::string_view options) {
  const std::vector<std::string> words = split_at_blanks(options);
  SessionSettings out;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string text;
    if (words[i] == "-c" && i + 1 < words.size()) {
      text = words[++i];
    } else if (words[i].starts_with("-c") || words[i].starts_with("--")) {
      text = words[i].substr(2);
    }
    const size_t equals = text.find('=');
    if (equals == 0 || equals == text.npos) {
      return Status::error(
          Code::bad_argument,
          in_quotes(words[i]) + " in the options of the connection string cannot be set after connecting",
          "The pooler rejects startup options, so they are sent as session settings.", "Write them as -c name=value.");
    }
    std::string name = text.substr(0, equals);
    std::replace(name.begin(), name.end(), '-', '_');  // as in the server
    out.emplace_back(std::move(name), text.substr(equals + 1));
  }
  return out;
}

std::string set_config_calls(const SessionSettings& settings) {
  std::string out;
  for (const auto& [name, value] : settings) {
    out.append(out.empty() ? "" : ", ").append("pg_catalog.set_config(").append(quoted(name)).append(", ");
    out.append(quoted(value)).append(", false)");
  }
  return out;
}

}  // namespace tide::libpq
