// Commands: takes commands in, has them checked and obeyed, and writes down what became of each.
//
// An answer is written only after the state it speaks of has been published: who has seen the answer sees the effect.
//
// Invariants: every command that arrives in one piece gets exactly one record in `commands` and one answer; a command that
// is older than a minute when it arrives is not obeyed (expired).
// Threads: take() and answer() the keeper's only; post() any.
// Failure: a refused command changes nothing; the record says why.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "brain/action.hpp"
#include "pool/ports.hpp"
#include "segment/mailbox.hpp"
#include "segment/rings.hpp"
#include "segment/segment.hpp"

namespace tide {

class SegmentWriter;

class Commands {
 public:
  using Decide = std::function<Verdict(const Command&)>;

  Commands(Segment& segment, const Clock& clock, Mailbox& mailbox, SegmentWriter& segment_writer,
           const Outlook& outlook);

  // Obey what has arrived, as `decide` says.
  void take(const Decide& decide);
  // A pending command is finished.
  void answer(uint64_t command_id, const Verdict& verdict);
  // The state has been published: write the answers.
  void settle();
  // The pool closes: nothing pending will be obeyed any more.
  void refuse_pending(const std::string& why);
  // From this process; returns the command id.
  uint64_t post(PostedCommand command);

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
  void obey(const PostedCommand& posted, uint64_t command_id, const Decide& decide);
  void record(const PostedCommand& posted, uint64_t command_id, const Verdict& verdict, bool is_expired);

  Segment& segment_;
  const Clock& clock_;
  Mailbox& mailbox_;
  SegmentWriter& segment_writer_;
  const Outlook& outlook_;  // as of the last tick
  Ring<format::CommandRecord> commands_;
  std::vector<Pending> pending_;
  std::vector<Applied> applied_;
  std::vector<Finished> finished_;
  std::mutex inbox_mutex_;
  std::vector<PostedCommand> inbox_;
  uint64_t local_number_ = 0;
};

}  // namespace tide
