#include "driver/libpq/traces.hpp"

#include <algorithm>

#include "base/sql_scanner.hpp"
#include "driver/libpq/harmless_functions.hpp"

namespace tide::libpq {
namespace {

using Kind = SqlScanner::Kind;
using Token = SqlScanner::Token;
using Words = std::string_view;

constexpr size_t kWordBytesMax = 63;  // of an identifier in PostgreSQL

// First words of command tags that change data or definitions, not the session.
constexpr Words kHarmlessTags[] = {"ALTER",   "ANALYZE", "BEGIN",    "CHECKPOINT", "CLOSE",    "CLUSTER",   "COMMENT",
                                   "COMMIT",  "COPY",    "CREATE",   "DELETE",     "DROP",     "EXECUTE",   "EXPLAIN",
                                   "FETCH",   "GRANT",   "INSERT",   "LOCK",       "MERGE",    "MOVE",      "NOTIFY",
                                   "REFRESH", "REINDEX", "RELEASE",  "REVOKE",     "ROLLBACK", "SAVEPOINT", "SELECT",
                                   "SHOW",    "START",   "TRUNCATE", "UPDATE",     "VACUUM"};
static_assert(std::ranges::is_sorted(kHarmlessTags));

// Keywords and types that may precede a parenthesis and are not functions.
constexpr Words kNoFunctions[] = {
    "all",       "analyze",   "and",       "any",       "array",     "as",       "between",  "bigint",  "bit",
    "by",        "case",      "cast",      "character", "check",     "coalesce", "conflict", "cube",    "dec",
    "decimal",   "default",   "distinct",  "else",      "except",    "exists",   "explain",  "extract", "filter",
    "float",     "from",      "greatest",  "group",     "grouping",  "having",   "ilike",    "in",      "insert",
    "intersect", "is",        "join",      "key",       "lateral",   "least",    "like",     "limit",   "materialized",
    "not",       "nullif",    "offset",    "on",        "only",      "or",       "order",    "over",    "overlaps",
    "overlay",   "position",  "precision", "returning", "rollup",    "row",      "select",   "set",     "sets",
    "some",      "substring", "then",      "time",      "timestamp", "to",       "trim",     "union",   "unique",
    "update",    "using",     "vacuum",    "values",    "varying",   "when",     "where",    "with",    "xmlelement",
    "xmlforest", "zone"};
static_assert(std::ranges::is_sorted(kNoFunctions));

bool is_among(const auto& sorted, std::string_view word) { return std::ranges::binary_search(sorted, word); }

// A name in lower case, as PostgreSQL would look it up.
class Lowered {
 public:
  explicit Lowered(const Token& token) {
    if (token.text.size() > kWordBytesMax) return;
    for (const char c : token.text) {
      const bool is_upper = token.kind == Kind::word && c >= 'A' && c <= 'Z';
      bytes_[size_++] = is_upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  std::string_view text() const { return {bytes_, size_}; }  // empty: too long

 private:
  char bytes_[kWordBytesMax] = {};
  size_t size_ = 0;
};

// Effects that DISCARD ALL does not undo.
bool is_lasting(std::string_view function) {
  return function == "setseed" || function == "pg_replication_origin_session_setup" || function == "pg_backup_start" ||
         function == "pg_start_backup" || function.starts_with("dblink_connect") ||
         (function.starts_with("pg_create_") && function.ends_with("_replication_slot"));
}

// The traces of a name followed by a parenthesis. `before`: the word before the name.
Trace trace_of_call(const Token& name, bool is_qualified, bool is_in_catalog, std::string_view before) {
  // A list of columns: INSERT INTO t (a, b), FROM f() AS g (a), WITH g (a) AS, CREATE TABLE IF NOT EXISTS t (a int) ...
  for (const Words list : {"into", "as", "with", "recursive", "table", "exists", "references"}) {
    if (is_same_word(before, list)) return Trace::none;
  }
  const Lowered lowered(name);
  const std::string_view function = lowered.text();
  if (is_lasting(function)) return Trace::lasting;
  if (name.kind == Kind::word && !is_qualified && is_among(kNoFunctions, function)) return Trace::none;
  const bool is_known = (!is_qualified || is_in_catalog) && is_among(kHarmlessFunctions, function);
  return is_known ? Trace::none : Trace::resettable;
}

bool is_temporary(const Token& token) {
  return token.is_word("temp") || token.is_word("temporary") || Lowered(token).text().starts_with("pg_temp");
}

// Scans a text up to its end, or to the first lasting trace.
class Reader {
 public:
  explicit Reader(std::string_view sql) : scanner_(sql) {}

  Trace read() {
    Trace found = Trace::none;
    for (Token token = scanner_.next(); token.kind != Kind::end; token = scanner_.next()) {
      found = std::max(found, take(token));
      if (found == Trace::lasting) return found;
    }
    return scanner_.is_unclear() ? std::max(found, Trace::resettable) : found;
  }

 private:
  Trace take(const Token& token) {
    if (token.kind == Kind::word || token.kind == Kind::name) return take_name(token);
    Trace found = Trace::none;
    if (token.is_symbol('(') && is_name_last_) found = trace_of_call(name_, is_qualified_, is_in_catalog_, before_);
    is_dot_last_ = token.is_symbol('.') && is_name_last_;
    if (!is_dot_last_) before_ = {};
    if (token.is_symbol(';')) is_explain_ = is_update_ = false, is_first_ = true;
    is_name_last_ = false;
    return found;
  }

  Trace take_name(const Token& token) {
    is_in_catalog_ = is_dot_last_ && !is_qualified_ && Lowered(name_).text() == "pg_catalog";
    is_qualified_ = is_dot_last_;
    if (!is_dot_last_) before_ = is_name_last_ && name_.kind == Kind::word ? name_.text : std::string_view();
    name_ = token;
    is_name_last_ = true;
    is_dot_last_ = false;
    is_explain_ = is_explain_ || (is_first_ && token.is_word("explain"));
    is_update_ = is_update_ || token.is_word("update");
    is_first_ = false;
    const bool is_run = is_explain_ && (token.is_word("analyze") || token.is_word("analyse"));
    const bool is_setting = is_update_ && Lowered(token).text() == "pg_settings";
    const bool is_escaped = token.is_word("uescape");  // a name with escapes
    return is_run || is_setting || is_escaped || is_temporary(token) ? Trace::resettable : Trace::none;
  }

  SqlScanner scanner_;
  Token name_;               // the last one
  std::string_view before_;  // the word before the name, or before the first of its parts
  bool is_name_last_ = false;
  bool is_dot_last_ = false;
  bool is_qualified_ = false;
  bool is_in_catalog_ = false;
  bool is_first_ = true;  // of its statement
  bool is_explain_ = false;
  bool is_update_ = false;
};

}  // namespace

Trace trace_of_tag(std::string_view tag) noexcept {
  if (tag.starts_with("SELECT ")) return Trace::none;  // most of them, so that they are not searched for
  const std::string_view first = tag.substr(0, tag.find(' '));
  if (first == "LOAD") return Trace::lasting;
  if (first.empty() || is_among(kHarmlessTags, first)) return Trace::none;
  return Trace::resettable;
}

Trace trace_of_text(std::string_view sql) noexcept { return Reader(sql).read(); }

}  // namespace tide::libpq
