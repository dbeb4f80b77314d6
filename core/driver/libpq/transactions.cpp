#include "driver/libpq/transactions.hpp"

#include <array>

#include "base/sql_scanner.hpp"

namespace tide::libpq {
namespace {

using Kind = SqlScanner::Kind;
using Token = SqlScanner::Token;

// The first tokens of a statement, as many as are needed to classify it.
class Head {
 public:
  void add(const Token& token) {
    if (count_ < tokens_.size()) tokens_[count_] = token;
    ++count_;
  }
  bool is(size_t i, std::string_view word) const {
    return i < count_ && i < tokens_.size() && tokens_[i].is_word(word);
  }
  bool is_routine() const {  // CREATE [OR REPLACE] FUNCTION: its body may contain semicolons
    const size_t i = is(1, "or") ? 3 : 1;
    return is(0, "create") && (is(i, "function") || is(i, "procedure"));
  }
  size_t count() const { return count_; }

  TransactionWord word() const {
    if (is(0, "prepare")) {
      const bool is_two_phase = is(1, "transaction") && count_ == 3 && tokens_[2].kind == Kind::literal;
      return is_two_phase ? TransactionWord::prepare : TransactionWord::other;
    }
    if (is(0, "begin") || (is(0, "start") && is(1, "transaction"))) return TransactionWord::begin;
    const bool is_rollback = is(0, "rollback") || is(0, "abort");
    if (!is_rollback && !is(0, "commit") && !is(0, "end")) return TransactionWord::other;
    const size_t i = is(1, "work") || is(1, "transaction") ? 2 : 1;
    const bool is_plain = count_ == i || (count_ == i + 3 && is(i, "and") && is(i + 1, "no") && is(i + 2, "chain"));
    const bool is_chain = count_ == i + 2 && is(i, "and") && is(i + 1, "chain");
    if (!is_plain && !is_chain) return TransactionWord::other;
    if (!is_rollback) return is_chain ? TransactionWord::commit_and_chain : TransactionWord::commit;
    return is_chain ? TransactionWord::rollback_and_chain : TransactionWord::rollback;
  }

 private:
  std::array<Token, 5> tokens_;
  size_t count_ = 0;
};

}  // namespace

Statement first_statement(std::string_view sql) noexcept {
  SqlScanner scanner(sql);
  Head head;
  int parentheses = 0;
  int blocks = 0;  // BEGIN ATOMIC ... END, and CASE ... END within
  for (Token token = scanner.next(); token.kind != Kind::end; token = scanner.next()) {
    if (token.is_symbol(';') && parentheses == 0 && blocks == 0) {
      if (head.count() > 0) break;
      continue;
    }
    head.add(token);
    if (token.is_symbol('(')) ++parentheses;
    if (token.is_symbol(')') && parentheses > 0) --parentheses;
    if (!head.is_routine()) continue;
    if (token.is_word("begin") || (blocks > 0 && token.is_word("case"))) ++blocks;
    if (blocks > 0 && token.is_word("end")) --blocks;
  }
  return {head.word(), sql.substr(scanner.position())};
}

Statement statement_at(std::string_view sql, size_t n) noexcept {
  Statement statement{TransactionWord::other, sql};
  for (size_t i = 0; i <= n; ++i) statement = first_statement(statement.rest);
  return statement;
}

bool has_statement(std::string_view sql) noexcept {
  SqlScanner scanner(sql);
  for (;;) {
    const Token token = scanner.next();
    if (token.kind == Kind::end) return false;
    if (!token.is_symbol(';')) return true;
  }
}

}  // namespace tide::libpq
