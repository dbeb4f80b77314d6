// TransactionBook: which transactions are open, and how the last ones ended.
//
// V4  A number is never reused.
// Threads: any. Failure: refusal() says why a number names no open transaction.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.hpp"
#include "service/service.hpp"
#include "service/transaction.hpp"

namespace tide {

class TransactionBook {
 public:
  TransactionId add(std::shared_ptr<Transaction> transaction);
  // nullptr: there is no open transaction of this number.
  std::shared_ptr<Transaction> find(TransactionId id) const;
  Status refusal(TransactionId id) const;
  void end(TransactionId id, Ending ending);
  std::vector<std::shared_ptr<Transaction>> take_all();

 private:
  static constexpr size_t kRemembered = 1024;  // ended transactions
  struct Ended {
    TransactionId id = 0;
    Ending ending = Ending::rolled_back;
  };

  mutable std::mutex mutex_;
  std::map<TransactionId, std::shared_ptr<Transaction>> open_;
  std::array<Ended, kRemembered> ended_;  // by id modulo its size
  TransactionId last_id_ = 0;
};

}  // namespace tide
