// Determines which statement of a text begins or ends a transaction. Used after the pool has ended a transaction, when the
// command tag is ROLLBACK, and with a pooler.
// Threads: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tide::libpq {

enum class TransactionWord : uint8_t {
  other,
  rollback,            // ROLLBACK, ABORT; not ROLLBACK TO, which does not end the transaction
  rollback_and_chain,  // ... AND CHAIN: a new transaction begins
  commit,              // COMMIT, END
  commit_and_chain,
  prepare,  // PREPARE TRANSACTION
  begin,    // BEGIN, START TRANSACTION
};

struct Statement {
  TransactionWord word = TransactionWord::other;
  std::string_view rest;  // the text after the statement
};

// The first statement of a text; semicolons before it are not statements. PostgreSQL returns the results of a text
// statement by statement, in this order.
Statement first_statement(std::string_view sql) noexcept;
// The statement with result number `n`, from 0.
Statement statement_at(std::string_view sql, size_t n) noexcept;
// Whether the text contains a statement.
bool has_statement(std::string_view sql) noexcept;

}  // namespace tide::libpq
