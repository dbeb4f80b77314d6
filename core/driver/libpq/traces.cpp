#include "driver/libpq/traces.hpp"

#include <array>

namespace tide::libpq {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_word(char c) { return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

bool matches_at(std::string_view text, size_t at, std::string_view word) {
  if (text.size() - at < word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (lower(text[at + i]) != word[i]) return false;
  }
  return true;
}

// First words of command tags that change data or definitions, not the session.
constexpr std::array<std::string_view, 33> kHarmless = {
    "SELECT", "INSERT",  "UPDATE", "DELETE",  "MERGE",    "BEGIN",   "START",      "COMMIT",   "ROLLBACK",
    "SAVEPOINT", "RELEASE", "TRUNCATE", "ANALYZE", "VACUUM", "EXPLAIN", "SHOW",     "CHECKPOINT", "COMMENT",
    "GRANT",  "REVOKE",  "COPY",   "LOCK",    "REINDEX",  "REFRESH", "NOTIFY",     "CLOSE",    "FETCH",
    "MOVE",   "CREATE",  "DROP",   "ALTER",   "EXECUTE",  "CLUSTER"};

struct Trace {
  std::string_view word;
  bool is_whole;  // not within a longer identifier
};
constexpr std::array<Trace, 5> kTraces = {{{"set_config", true},
                                           {"advisory", false},
                                           {"temp", true},
                                           {"temporary", true},
                                           {"pg_temp", true}}};

size_t skip_blank(std::string_view sql, size_t at) {
  while (at < sql.size()) {
    const char c = sql[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';') {
      ++at;
    } else if (sql.substr(at, 2) == "--") {
      at = sql.find('\n', at);
      if (at == sql.npos) return sql.size();
    } else {
      break;
    }
  }
  return at;
}

}  // namespace

bool tag_leaves_traces(std::string_view tag) noexcept {
  const std::string_view first = tag.substr(0, tag.find(' '));
  if (first.empty()) return false;
  for (const std::string_view harmless : kHarmless) {
    if (first == harmless) return false;
  }
  return true;
}

bool text_leaves_traces(std::string_view sql) noexcept {
  for (size_t at = 0; at < sql.size(); ++at) {
    const char c = lower(sql[at]);
    if (c != 's' && c != 'a' && c != 't' && c != 'p') continue;
    for (const Trace& trace : kTraces) {
      if (c != trace.word.front() || !matches_at(sql, at, trace.word)) continue;
      if (!trace.is_whole) return true;
      const size_t end = at + trace.word.size();
      if ((at == 0 || !is_word(sql[at - 1])) && (end == sql.size() || !is_word(sql[end]))) return true;
    }
  }
  return false;
}

bool is_rollback(std::string_view sql) noexcept {
  size_t at = skip_blank(sql, 0);
  size_t end = at;
  while (end < sql.size() && is_word(sql[end])) ++end;
  const bool is_word_right =
      (end - at == 8 && matches_at(sql, at, "rollback")) || (end - at == 5 && matches_at(sql, at, "abort"));
  if (!is_word_right) return false;
  at = skip_blank(sql, end);
  for (const std::string_view noise : {"work", "transaction"}) {
    if (matches_at(sql, at, noise)) at = skip_blank(sql, at + noise.size());
  }
  return at >= sql.size();
}

}  // namespace tide::libpq
