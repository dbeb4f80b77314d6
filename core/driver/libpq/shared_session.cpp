#include "driver/libpq/shared_session.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/sql_scanner.hpp"
#include "driver/libpq/errors.hpp"
#include "statement/transactions.hpp"

namespace tide::libpq {
namespace {

using Kind = SqlScanner::Kind;
using Token = SqlScanner::Token;

constexpr std::string_view kLastingFunctions[] = {"dblink_connect",
                                                  "dblink_connect_u",
                                                  "pg_advisory_lock",
                                                  "pg_advisory_lock_shared",
                                                  "pg_try_advisory_lock",
                                                  "pg_try_advisory_lock_shared",
                                                  "setseed"};

struct Finding {
  std::string what;  // empty: nothing
  std::string_view instead;
};

// Checks one statement.
class Judge {
 public:
  explicit Judge(std::string_view statement) : scanner_(statement) {}

  Finding read() {
    for (Token token = next_of_statement(); token.kind != Kind::end; token = scanner_.next()) {
      Finding found = take(token);
      if (!found.what.empty() && !is_temporary_) return found;
      if (is_temporary_ && temporary_.what.empty()) temporary_ = std::move(found);
      last_ = token;
      ++count_;
    }
    // ON COMMIT DROP is at the end of the statement.
    return is_dropped_ ? Finding{} : temporary_;
  }

 private:
  Token next_of_statement() {
    Token token = scanner_.next();
    while (token.is_symbol(';')) token = scanner_.next();
    return token;
  }

  Finding take(const Token& token) {
    if (count_ == 0) return begin(token);
    if (first_.is_word("declare") && last_.is_word("with") && token.is_word("hold")) {
      return {"a cursor WITH HOLD", "a cursor WITHOUT HOLD, and read it in its transaction"};
    }
    if (first_.is_word("update") && token.is_word("pg_settings")) return {"UPDATE pg_settings", kSetLocal};
    is_dropped_ = is_dropped_ || (last_.is_word("commit") && token.is_word("drop"));
    if (is_temporary_word(token)) {
      is_temporary_ = true;
      return {"a temporary object", "ON COMMIT DROP in a transaction"};
    }
    if (token.is_symbol('(') && last_.kind == Kind::word) return call();
    return {};
  }

  Finding begin(const Token& token) {
    first_ = token;
    for (const std::string_view word : {"listen", "load", "discard"}) {
      if (!token.is_word(word)) continue;
      std::string upper(word);
      std::transform(upper.begin(), upper.end(), upper.begin(),
                     [](char c) { return static_cast<char>(c - 'a' + 'A'); });
      return {upper, word == "listen" ? "LISTEN on a direct connection to the server" : ""};
    }
    if (token.is_word("prepare")) {
      SqlScanner ahead = scanner_;
      return ahead.next().is_word("transaction") ? Finding{} : Finding{"PREPARE", "statement parameters"};
    }
    return token.is_word("set") ? begin_set() : Finding{};
  }

  Finding begin_set() {
    SqlScanner ahead = scanner_;
    Token name = ahead.next();
    for (const std::string_view word : {"local", "transaction", "constraints"}) {
      if (name.is_word(word)) return {};
    }
    if (name.is_word("session")) name = ahead.next();
    return {"SET " + std::string(name.text), kSetLocal};
  }

  bool is_temporary_word(const Token& token) const {
    const bool is_temporary = token.is_word("temp") || token.is_word("temporary");
    if (first_.is_word("create") && token.is_word("pg_temp")) return true;
    if (!is_temporary) return false;
    if (last_.is_word("into")) return true;
    // After CREATE, CREATE LOCAL and CREATE OR REPLACE; further on it is a name.
    return first_.is_word("create") &&
           (count_ == 1 || last_.is_word("local") || last_.is_word("global") || last_.is_word("replace"));
  }

  // A name and its parenthesis.
  Finding call() {
    std::string name(last_.text);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); });
    if (name == "set_config" && !is_local_config())
      return {"set_config()", "true as its third argument, in a transaction"};
    if (std::ranges::find(kLastingFunctions, name) == std::end(kLastingFunctions)) return {};
    const bool is_lock = name.find("lock") != name.npos;
    return {name + "()", is_lock ? "pg_advisory_xact_lock(), in a transaction" : ""};
  }

  // Whether the last argument is `true`.
  bool is_local_config() const {
    SqlScanner ahead = scanner_;
    Token before;
    int depth = 1;
    for (Token token = ahead.next(); token.kind != Kind::end; token = ahead.next()) {
      if (token.is_symbol('(')) ++depth;
      if (token.is_symbol(')') && --depth == 0) break;
      before = token;
    }
    return before.is_word("true");
  }

  static constexpr std::string_view kSetLocal = "SET LOCAL in a transaction";

  SqlScanner scanner_;
  Token first_;
  Token last_;
  size_t count_ = 0;
  bool is_temporary_ = false;
  bool is_dropped_ = false;
  Finding temporary_;
};

}  // namespace

Status check_shared(std::string_view sql) {
  for (std::string_view rest = sql; has_statement(rest);) {
    const std::string_view behind = first_statement(rest).rest;
    const Finding found = Judge(rest.substr(0, rest.size() - behind.size())).read();
    if (!found.what.empty()) {
      std::string hint = found.instead.empty() ? "Use " : "Use " + std::string(found.instead) + ", or ";
      hint += "pooler=session if that is the pool_mode of the pooler.";
      return own_error("0A000", found.what + " is not allowed through a pooler in transaction mode",
                       "It would remain in a server session that the pooler (option pooler) shares with other clients.",
                       std::move(hint));
    }
    rest = behind;
  }
  return Status::ok();
}

Status check_shared_read(std::string_view sql) {
  Statement statement = first_statement(sql);
  if (!has_statement(statement.rest)) return Status::ok();
  bool has_word = statement.word != TransactionWord::other;
  while (!has_word && has_statement(statement.rest)) {
    statement = first_statement(statement.rest);
    has_word = statement.word != TransactionWord::other;
  }
  if (!has_word) return Status::ok();
  return own_error("0A000",
                   "BEGIN, COMMIT and ROLLBACK on a read lease must be sent as separate statements through a pooler",
                   "In transaction mode (option pooler) each transaction is made read-only individually.",
                   "Send the statements one by one, or acquire a read-write lease.");
}

}  // namespace tide::libpq
