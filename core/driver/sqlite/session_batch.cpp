// Batches: several statements as one transaction.
#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/session.hpp"

namespace tide::sqlite {

Status SqliteConnection::batch(std::span<const QueryRequest> requests, Instant deadline, std::vector<ResultTable>& out,
                               size_t& failed_at) {
  out.clear();
  failed_at = 0;
  Status status = as_holder(requests.size(), [&] { return run_batch(requests, deadline, out, failed_at); });
  if (!status) out.clear();
  return status;
}

Status SqliteConnection::run_batch(std::span<const QueryRequest> requests, Instant deadline,
                                   std::vector<ResultTable>& out, size_t& failed_at) {
  if (Status status = check_no_rows(); !status) return status;
  if (requests.empty()) return Status::ok();
  const bool is_own = sqlite3_get_autocommit(database_.get()) != 0 && ended_.sqlstate.empty();
  if (is_own) {
    // A transaction that reads first may not be able to write any more.
    const bool is_reading = mode_ == LeaseMode::read || !file_->target().is_writable() ||
                            std::all_of(requests.begin(), requests.end(),
                                        [this](const QueryRequest& request) { return is_reading_only(request); });
    if (Status status = run_words(is_reading ? "BEGIN" : "BEGIN IMMEDIATE", deadline); !status) return status;
  }
  Status status;
  try {
    out.reserve(requests.size());
    for (failed_at = 0; status && failed_at < requests.size(); failed_at += status ? 1 : 0) {
      QueryRequest request = requests[failed_at];
      request.deadline = earliest(request.deadline, deadline);
      Execution ex;
      status = run_single(request, ex, "of a batch");
      if (!status) continue;
      ResultTable& result = out.emplace_back();
      if (ex.statement == nullptr) continue;
      if (ex.traits->intent.is_transaction) {
        status = Status::error(Code::refused, ex.traits->command + " in a batch",
                               "A batch is one transaction, or a part of the open one.");
      } else {
        status = collect(request, ex, result);
      }
    }
    if (status && is_own) status = run_words("COMMIT", deadline);
  } catch (const std::bad_alloc&) {
    status = Status::out_of_memory();
  }
  if (!status && is_own) {
    undo_batch();
    if (status.sqlstate() == "40001") status.is_retryable = true;  // it was the whole transaction
  }
  return status;
}

Status SqliteConnection::run_words(std::string_view words, Instant deadline) {
  QueryRequest request;
  request.sql = words;
  request.deadline = deadline;
  ResultTable unused;
  return run_text(request, unused);
}

bool SqliteConnection::is_reading_only(const QueryRequest& request) {
  const std::string word = first_word(request.sql);
  if (word != "WITH") return word == "SELECT" || word == "VALUES";
  const OwnStatements own(inspector_);  // not executed
  Statement statement;
  std::string_view rest;
  return compile(database_.get(), request.sql, statement, rest) == SQLITE_OK && statement != nullptr &&
         sqlite3_stmt_readonly(statement.get()) != 0;
}

void SqliteConnection::undo_batch() noexcept {
  {
    const OwnStatements own(inspector_);
    // A cancel may hit the rollback.
    if (!roll_back()) roll_back();
  }
  ended_ = {};
  give_unused_turn();
  note_transaction(clock_.now());
}

}  // namespace tide::sqlite
