#include "service/transaction_book.hpp"

#include <string>
#include <utility>

namespace tide {
namespace {

const char* text_of_ending(Ending ending) {
  switch (ending) {
    case Ending::committed: return "it was committed";
    case Ending::rolled_back: return "it was rolled back";
    case Ending::timed_out: return "it was rolled back at its deadline";
    case Ending::cancelled: return "it was cancelled by its token, and rolled back";
    case Ending::unknown: return "its COMMIT failed, and its outcome is unknown";
  }
  return "";
}

}  // namespace

TransactionId TransactionBook::add(std::shared_ptr<Transaction> transaction) {
  const std::lock_guard lock(mutex_);
  open_.emplace(last_id_ + 1, std::move(transaction));
  return ++last_id_;
}

std::shared_ptr<Transaction> TransactionBook::find(TransactionId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(id);
  return found == open_.end() ? nullptr : found->second;
}

Status TransactionBook::refusal(TransactionId id) const {
  const std::lock_guard lock(mutex_);
  if (id == 0 || id > last_id_) {
    return Status::error(Code::refused, "there is no transaction with the number " + std::to_string(id), "",
                         "Begin one, and use it before its end.");
  }
  const Ended& ended = ended_[id % kRemembered];
  return Status::error(
      Code::refused,
      "the transaction has ended" + (ended.id == id ? std::string(": ") + text_of_ending(ended.ending) : std::string()),
      "", "Begin another one.");
}

void TransactionBook::end(TransactionId id, Ending ending) {
  const std::lock_guard lock(mutex_);
  if (open_.erase(id) == 0) return;  // another thread ended it
  ended_[id % kRemembered] = {id, ending};
}

std::vector<std::shared_ptr<Transaction>> TransactionBook::take_all() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Transaction>> all;
  for (auto& [id, transaction] : open_) all.push_back(std::move(transaction));
  open_.clear();
  return all;
}

}  // namespace tide
