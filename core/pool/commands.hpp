// Commands: receives commands, has them checked and executed, and records the result of each.
//
// An answer is written only after the resulting state has been published: a reader of the answer also sees the effect.
//
// Invariants: every intact command that arrives gets exactly one record in `commands` and one answer; a command that is
// older than a minute on arrival is not executed (expired).
// Threads: take() and answer() the keeper only; post() any.
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

  // Executes what has arrived, as `decide` says.
  void take(const Decide& decide);
  // A pending command has finished.
  void answer(uint64_t command_id, const Verdict& verdict);
  // The state has been published: write the answers.
  void settle();
  // The pool closes: pending commands are no longer executed.
  void refuse_pending(const std::string& why);
  // From this process; returns the command id.
  uint64_t post(PostedCommand command);

 private:
  struct Pending {
    uint64_t command_id;
    uint64_t record;
  };
  struct Applied {  // executed in this step
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
