#include "statement/transactions.hpp"

#include "statement/splitter.hpp"

namespace tide {
namespace {

using Kind = SqlScanner::Kind;
using Token = SqlScanner::Token;

TransactionWord word_of(const Splitter& head) {
  if (head.is(0, "prepare")) {
    const bool is_two_phase = head.is(1, "transaction") && head.count() == 3 && head.kind(2) == Kind::literal;
    return is_two_phase ? TransactionWord::prepare : TransactionWord::other;
  }
  if (head.is(0, "begin") || (head.is(0, "start") && head.is(1, "transaction"))) return TransactionWord::begin;
  const bool is_rollback = head.is(0, "rollback") || head.is(0, "abort");
  if (!is_rollback && !head.is(0, "commit") && !head.is(0, "end")) return TransactionWord::other;
  const size_t i = head.is(1, "work") || head.is(1, "transaction") ? 2 : 1;
  const bool is_plain = head.count() == i ||
                        (head.count() == i + 3 && head.is(i, "and") && head.is(i + 1, "no") && head.is(i + 2, "chain"));
  const bool is_chain = head.count() == i + 2 && head.is(i, "and") && head.is(i + 1, "chain");
  if (!is_plain && !is_chain) return TransactionWord::other;
  if (!is_rollback) return is_chain ? TransactionWord::commit_and_chain : TransactionWord::commit;
  return is_chain ? TransactionWord::rollback_and_chain : TransactionWord::rollback;
}

// From the first word, or the first two.
bool is_control(SqlScanner scanner) {
  Token token = scanner.next();
  while (token.is_symbol(';')) token = scanner.next();
  if (token.kind != Kind::word) return false;
  for (const std::string_view word : {"begin", "commit", "end", "rollback", "abort", "savepoint", "release"}) {
    if (token.is_word(word)) return true;
  }
  return (token.is_word("start") || token.is_word("prepare")) && scanner.next().is_word("transaction");
}

}  // namespace

Statement first_statement(std::string_view sql, Dialect dialect) noexcept {
  SqlScanner scanner(sql, dialect);
  Splitter splitter(dialect);
  for (Token token = scanner.next(); token.kind != Kind::end; token = scanner.next()) {
    if (splitter.take(token)) break;
  }
  return {word_of(splitter), sql.substr(scanner.position())};
}

Statement statement_at(std::string_view sql, size_t n) noexcept {
  Statement statement{TransactionWord::other, sql};
  for (size_t i = 0; i <= n; ++i) statement = first_statement(statement.rest);
  return statement;
}

bool has_statement(std::string_view sql, Dialect dialect) noexcept {
  SqlScanner scanner(sql, dialect);
  for (;;) {
    const Token token = scanner.next();
    if (token.kind == Kind::end) return false;
    if (!token.is_symbol(';')) return true;
  }
}

bool is_transaction_control(std::string_view sql, Dialect dialect) noexcept {
  SqlScanner scanner(sql, dialect);
  if (is_control(scanner)) return true;
  if (sql.find(';') == sql.npos) return false;
  Splitter splitter(dialect);
  for (Token token = scanner.next(); token.kind != Kind::end; token = scanner.next()) {
    if (splitter.take(token) && is_control(scanner)) return true;
  }
  if (!scanner.is_unclear()) return false;
  for (size_t end = sql.find(';'); end != sql.npos; end = sql.find(';', end + 1)) {
    if (is_control(SqlScanner(sql.substr(end + 1), dialect))) return true;
  }
  return false;
}

}  // namespace tide
