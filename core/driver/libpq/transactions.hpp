// Which statement of a text begins or ends a transaction. Asked only where it matters: after the pool has ended one,
// when the server's answer is ROLLBACK, and through a pooler.
// Threads: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tide::libpq {

enum class TransactionWord : uint8_t {
  other,
  rollback,            // ROLLBACK, ABORT; not ROLLBACK TO, which ends no transaction
  rollback_and_chain,  // ... AND CHAIN: a new transaction begins
  commit,              // COMMIT, END
  commit_and_chain,
  prepare,  // PREPARE TRANSACTION
  begin,    // BEGIN, START TRANSACTION
};

struct Statement {
  TransactionWord word = TransactionWord::other;
  std::string_view rest;  // the text behind the statement
};

// The first statement of a text; semicolons before it do not count as statements. PostgreSQL answers a text statement
// by statement, in this order.
Statement first_statement(std::string_view sql) noexcept;
// The statement that gives the answer number `n`, from 0.
Statement statement_at(std::string_view sql, size_t n) noexcept;
// Whether there is any statement in the text.
bool has_statement(std::string_view sql) noexcept;

}  // namespace tide::libpq
