// The statements of the fake database.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "driver/fake/session.hpp"
#include "driver/fake/words.hpp"

namespace tide::fake {
namespace {

int64_t number_in(std::string_view text, int64_t otherwise) {
  int64_t number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Status syntax_error(std::string_view sql) {
  return refuse("42601", "syntax error at \"" + std::string(sql.substr(0, 40)) + "\"");
}

// $1 ... are replaced by the texts of the parameters.
Status take_parameters(std::span<const SqlValue> params, std::vector<std::string>& words) {
  size_t used = 0;
  for (std::string& word : words) {
    if (!word.starts_with("$")) continue;
    const size_t number = static_cast<size_t>(number_in(std::string_view(word).substr(1), 0));
    if (number == 0 || number > params.size())
      return Status::error(Code::bad_argument, "there is no parameter " + word);
    word = text_of(params[number - 1]);
    ++used;
  }
  if (used < params.size()) return Status::error(Code::bad_argument, "the statement takes no parameters");
  return Status::ok();
}

}  // namespace

const OutcomeWords* FakeServer::Client::outcome_words() const noexcept {
  static constexpr OutcomeWords kWords = {"fate $1", "end $1"};
  return &kWords;
}

Status FakeServer::Client::answer(const QueryRequest& request, ResultTable& out) {
  const std::string_view sql = request.sql;
  if (sql == "echo") {
    auto columns = std::make_shared<ResultColumns>(request.params.size());
    for (size_t i = 0; i < columns->size(); ++i) (*columns)[i].name = "p" + std::to_string(i + 1);
    out.set_columns(std::move(columns));
    for (const SqlValue& param : request.params) add_value(param, out);
    return Status::ok();
  }
  std::vector<std::string> words = words_of(sql);
  if (Status taken = take_parameters(request.params, words); !taken) return taken;
  if (words.empty()) return Status::ok();
  const std::string& word = words[0];
  if (sql == "one") {
    out.set_columns(columns_named({"value"}));
    out.add_text("1");
    return Status::ok();
  }
  if (sql == "set") {
    is_altered_ = true;
    return Status::ok();
  }
  if (sql == "state") {
    out.set_columns(columns_named({"state"}));
    out.add_text(is_altered_ ? "altered" : "clean");
    return Status::ok();
  }
  if (word == "rows" && words.size() == 2) {
    out.set_columns(columns_named({"n"}));
    for (int64_t i = 1, rows = number_in(words[1], 0); i <= rows; ++i) out.add_integer(i);
    return Status::ok();
  }
  if (word == "fail" && words.size() == 2 && words[1].size() == 5) return refuse(words[1], "failed as requested");
  if (word == "change" && words.size() <= 2) {
    if (mode_ == LeaseMode::read) return refuse("25006", "cannot write on a read lease");
    out.set_affected(words.size() == 2 ? number_in(words[1], 1) : 1);
    return Status::ok();
  }
  if (word == "fate" && words.size() == 2) return answer_fate(words[1], out);
  if (word == "end" && words.size() == 2) return end_other(words[1]);
  const bool is_of_store = ((word == "get" || word == "select") && words.size() == 2) ||
                           ((word == "put" || word == "add") && words.size() == 3);
  return is_of_store ? answer_store(words, out) : answer_transaction(sql);
}

Status FakeServer::Client::answer_store(const std::vector<std::string>& words, ResultTable& out) {
  const bool is_alone = !is_in_transaction_;
  if (is_alone) session_->transaction = server_.store_.begin(mode_ == LeaseMode::read);
  StoreTransaction& transaction = *session_->transaction;
  Status status;
  if (words[0] == "get" || words[0] == "select") {
    const std::optional<std::string> value = server_.store_.get(transaction, words[1]);
    out.set_columns(columns_named({"value"}));
    value ? out.add_text(*value) : out.add_null();
  } else {
    status = change_store(transaction, words);
    if (status) out.set_affected(1);
  }
  if (!is_alone) return status;
  if (status) status = server_.store_.commit(transaction);
  if (!status) server_.store_.abort(transaction);
  session_->transaction.reset();
  return status;
}

Status FakeServer::Client::change_store(StoreTransaction& transaction, const std::vector<std::string>& words) {
  std::string value = words[2];
  if (words[0] == "add") {
    const std::string before = server_.store_.get(transaction, words[1]).value_or("0");
    value = std::to_string(number_in(before, 0) + number_in(words[2], 0));
  }
  return server_.store_.put(transaction, words[1], std::move(value));
}

Status FakeServer::Client::answer_fate(std::string_view id, ResultTable& out) {
  out.set_columns(columns_named({"server", "fate"}));
  out.add_text(incarnation());
  const std::string_view fate = server_.store_.fate(static_cast<uint64_t>(number_in(id, 0)));
  fate.empty() ? out.add_null() : out.add_text(fate);
  return Status::ok();
}

Status FakeServer::Client::end_other(std::string_view id) {
  if (!server_.may_end_others_) return refuse("42501", "permission denied to end the transaction of another session");
  const uint64_t number = static_cast<uint64_t>(number_in(id, 0));
  std::erase_if(server_.undecided_, [&](const StoreTransaction& transaction) {
    if (transaction.id() != number) return false;
    server_.store_.abort(transaction);
    return true;
  });
  return Status::ok();
}

Status FakeServer::Client::commit() {
  const Status status = server_.store_.commit(*session_->transaction);
  session_->transaction.reset();
  forget_transaction();
  return status;
}

Status FakeServer::Client::answer_transaction(std::string_view sql) {
  std::vector<std::string> words = words_of(sql);
  if (words.size() > 2) words.erase(std::remove(words.begin() + 1, words.end() - 1, "savepoint"), words.end() - 1);
  const std::string& word = words[0];
  const bool is_read_only = words.size() == 3 && words[1] == "read" && words[2] == "only";
  if (word == "begin" && (words.size() == 1 || is_read_only)) {
    if (is_in_transaction_) return refuse("25001", "there is already a transaction");
    is_in_transaction_ = true;
    transaction_since_ = server_.clock_.now();
    session_->transaction = server_.store_.begin(is_read_only || mode_ == LeaseMode::read);
    return Status::ok();
  }
  if ((word == "commit" || word == "rollback") && words.size() == 1) {
    const bool is_owed = !ended_why_.empty();
    if (!is_in_transaction_ && !is_owed) return refuse("25P01", "there is no transaction");
    if (word == "commit") return commit();
    forget_transaction();
    return Status::ok();
  }
  const bool is_savepoint = (word == "savepoint" || word == "release") && words.size() == 2;
  const bool is_return = word == "rollback" && words.size() == 3 && words[1] == "to";
  if (!is_savepoint && !is_return) return syntax_error(sql);
  if (!is_in_transaction_) return refuse("25P01", "there is no transaction");
  StoreTransaction& transaction = *session_->transaction;
  if (word == "savepoint") {
    server_.store_.savepoint(transaction, words[1]);
    return Status::ok();
  }
  if (word == "release") return server_.store_.release(transaction, words[1]);
  Status status = server_.store_.rollback_to(transaction, words[2]);
  if (status) is_failed_ = false;
  return status;
}

}  // namespace tide::fake
