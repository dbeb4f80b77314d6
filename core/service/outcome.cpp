#include "service/outcome.hpp"

#include <algorithm>
#include <string_view>

#include "service/lease_use.hpp"

namespace tide {
namespace {

constexpr Span kFirstPause = Span::millis(10);  // doubled up to ...
constexpr Span kLongestPause = Span::millis(200);
// A commit that takes longer than this waits for something; its session is ended if that is permitted.
constexpr Span kPatience = Span::millis(200);

enum class Answer : uint8_t { committed, aborted, in_progress, unknown, none };

Answer read_answer(const ResultTable& answer, const OutcomeQuestion& question, std::string& why) {
  const auto text = [&](int column) {
    const char* found = answer.text(0, column);
    return std::string_view(found != nullptr ? found : "");
  };
  if (text(0) != question.server) {
    why = "The server was restarted, or another one answers.";
    return Answer::unknown;
  }
  if (text(1) == "committed") return Answer::committed;
  if (text(1) == "aborted") return Answer::aborted;
  if (text(1) == "in progress") return Answer::in_progress;
  why = "The server does not know the transaction any more.";
  return Answer::unknown;
}

// Another question gets the same answer: a value that the server does not accept, a missing right or function.
bool is_final(const Status& status) {
  if (status.code != Code::database) return status.code == Code::bad_argument || status.code == Code::unsupported;
  return status.sqlstate().starts_with("22") || status.sqlstate().starts_with("42") ||
         status.sqlstate().starts_with("0A");
}

Answer ask_once(Pool& pool, const OutcomeQuestion& question, bool may_end, std::string& why) {
  const Instant now = pool.clock().now();
  OwnLease lease(pool);
  AcquireRequest request;
  request.tag = "commit_check";
  request.timeout = std::min(pool.fast_policy().acquire_timeout(), std::max(question.give_up - now, Span()));
  if (Status status = lease.acquire(request); !status) {
    why = status.message();
    return status.code == Code::closed || status.code == Code::refused ? Answer::unknown : Answer::none;
  }
  const SqlValue id = SqlValue::of_text(question.id);
  QueryRequest query;
  query.sql = question.words.ask;
  query.params = {&id, 1};
  query.deadline = question.give_up;
  ResultTable answer;
  if (Status status = lease.query(query, answer); !status) {
    why = status.message();
    return is_final(status) ? Answer::unknown : Answer::none;
  }
  const Answer told = read_answer(answer, question, why);
  if (told != Answer::in_progress || !may_end) return told;
  why = "It is still in progress.";
  query.sql = question.words.end;
  (void)lease.query(query, answer);  // without the permission it ends by itself, or not in time
  return told;
}

}  // namespace

Outcome ask_outcome(Pool& pool, const Pauses& pauses, const OutcomeQuestion& question, std::string& why) {
  const Instant began = pool.clock().now();
  for (Span pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    switch (ask_once(pool, question, pool.clock().now() - began >= kPatience, why)) {
      case Answer::committed: return Outcome::committed;
      case Answer::aborted: return Outcome::aborted;
      case Answer::unknown: return Outcome::unknown;
      case Answer::in_progress: why = "It is still in progress."; break;
      case Answer::none: break;
    }
    const Span left = question.give_up - pool.clock().now();
    if (left <= Span()) return Outcome::unknown;
    pauses.pause(std::min(pause, left));
  }
}

}  // namespace tide
