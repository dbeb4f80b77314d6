#include "driver/libpq/statements.hpp"

#include <algorithm>

#include "base/sql_scanner.hpp"
#include "driver/libpq/shared_session.hpp"
#include "statement/transactions.hpp"

namespace tide::libpq {
namespace {

constexpr std::string_view kPlannable[] = {"select", "insert", "update", "delete", "with", "values", "merge", "table"};

constexpr std::string_view kDefinitions[] = {"ALTER", "CREATE", "DROP", "IMPORT"};

// Without regard to case, also inside of literals: set_config('search_path', ...).
bool contains_word(std::string_view text, std::string_view lower) noexcept {
  const auto is_same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  };
  return std::search(text.begin(), text.end(), lower.begin(), lower.end(), is_same) != text.end();
}

}  // namespace

std::vector<Oid> parameters_in(const PGresult* described) {
  std::vector<Oid> types(static_cast<size_t>(PQnparams(described)));
  for (size_t i = 0; i < types.size(); ++i) types[i] = PQparamtype(described, static_cast<int>(i));
  return types;
}

TextNotes notes_of(const StatementText& text, bool is_shared) {
  TextNotes notes;
  notes.trace = trace_of_text(text.sql);
  const SqlScanner::Token first = SqlScanner(text.sql).next();
  notes.is_plannable = std::any_of(std::begin(kPlannable), std::end(kPlannable),
                                   [&](std::string_view word) { return first.is_word(word); }) &&
                       !text.has_several && !has_statement(first_statement(text.sql).rest);
  notes.names_search_path = contains_word(text.sql, "search_path");
  notes.names_temporary = contains_word(text.sql, "temp");
  if (is_shared) {
    notes.shared = check_shared(text.sql);
    notes.shared_read = check_shared_read(text.sql);
  }
  return notes;
}

bool changes_definitions(std::string_view tag) noexcept {
  const std::string_view first = tag.substr(0, tag.find(' '));
  return std::find(std::begin(kDefinitions), std::end(kDefinitions), first) != std::end(kDefinitions);
}

bool is_stale_statement(const Status& status) noexcept {
  if (status.sqlstate() == "26000") return true;
  return status.sqlstate() == "0A000" && status.place() != nullptr &&
         status.place()->routine == "RevalidateCachedQuery";
}

}  // namespace tide::libpq
