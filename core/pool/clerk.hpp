// Clerk: orders: takes them in, has them checked and obeyed, and writes down what became of each.
//
// An answer is written only after the state it speaks of has been published: who has seen the answer sees the effect.
//
// Invariants: every order that arrives in one piece gets exactly one record in `commands` and one answer; an order that
// is older than a minute when it arrives is not obeyed (expired).
// Threads: take() and answer() the keeper's only; post() any.
// Failure: a refused order changes nothing; the record says why.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "brain/action.hpp"
#include "brain/census.hpp"
#include "plane/mailbox.hpp"
#include "plane/rings.hpp"

namespace tide {

class Keeper;
class Pool;

class Clerk {
 public:
  Clerk(Pool& pool, Keeper& keeper, Mailbox& mailbox);

  // Obey what has arrived.
  void take(Instant now);
  // A pending order is finished.
  void answer(uint64_t command_id, const Verdict& verdict);
  // The state has been published: write the answers.
  void settle();
  // The pool closes: nothing pending will be obeyed any more.
  void refuse_pending(const std::string& why);
  // From this process; returns the command id.
  uint64_t post(PostedCommand order);

 private:
  struct Pending {
    uint64_t command_id;
    uint64_t record;
  };
  struct Applied {  // obeyed in this step
    PostedCommand posted;
    uint64_t command_id;
    Verdict verdict;
  };
  struct Finished {  // pending before this step
    uint64_t record;
    Verdict verdict;
  };
  void obey(const PostedCommand& posted, uint64_t command_id, Instant now);
  Verdict decide(const Command& command, Instant now);
  Verdict set_option(const Command& command, Instant now);
  void record(const PostedCommand& posted, uint64_t command_id, const Verdict& verdict, bool is_expired);

  Pool& pool_;
  Keeper& keeper_;
  Mailbox& mailbox_;
  Ring<format::CommandRecord> commands_;
  std::vector<Pending> pending_;
  std::vector<Applied> applied_;
  std::vector<Finished> finished_;
  std::mutex inbox_mutex_;
  std::vector<PostedCommand> inbox_;
  uint64_t local_number_ = 0;
};

}  // namespace tide
