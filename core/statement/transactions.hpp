// Determines which statement of a text begins or ends a transaction. Used for statements that a caller must leave to the
// pool, after the pool has ended a transaction, when the command tag is ROLLBACK, and with a pooler.
// Threads: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/sql_scanner.hpp"

namespace tide {

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
Statement first_statement(std::string_view sql, Dialect dialect = Dialect::postgresql) noexcept;
// The statement with result number `n`, from 0.
Statement statement_at(std::string_view sql, size_t n) noexcept;
// Whether the text contains a statement.
bool has_statement(std::string_view sql, Dialect dialect = Dialect::postgresql) noexcept;

// Whether a statement of the text is one of transaction control: BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT,
// SAVEPOINT, RELEASE, ROLLBACK TO, PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED. Only the first word of each
// statement is read, and only that of the first one if the text has no semicolon. Not covered are COMMIT and ROLLBACK
// inside a procedure or a DO block, which PostgreSQL itself refuses in a transaction, and SET TRANSACTION, which neither
// begins nor ends one. If it depends on standard_conforming_strings where a literal ends, a text counts as transaction
// control when such a word follows any semicolon in it.
bool is_transaction_control(std::string_view sql, Dialect dialect) noexcept;

}  // namespace tide
