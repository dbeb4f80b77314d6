// Commands: turned into what the deciders see, or refused with the reason.
//
// The effect of a command shows in the next tick: accept() writes the controls and keeps the actions until then.
// Invariants: at most Pending::kMax commands are pending; every accepted command increments the generation once; a
// burst ends at its end time, at end_burst, or when the option is switched off (I6).
// Idempotent: a command that requests the current state is applied and says so. A second drain waits together with the
// first.
// A draining pool accepts the verbs that the catalogue allows in that state (CommandInfo::while_draining).
// Threads: the keeper only.
#pragma once

#include <vector>

#include "brain/desk.hpp"
#include "brain/ledger.hpp"
#include "brain/pending.hpp"

namespace tide::brain {

class Commands {
 public:
  Verdict accept(const Command& command, const Census& census, Instant now, Ledger& ledger);

  // First of all deciders: what was accepted since the last tick, and what has ended with time.
  void tick(Desk& desk);
  // While draining, instead of the deciders that manage connections.
  void retire_all(Desk& desk);
  // Last of all deciders.
  void finish(Desk& desk) { pending_.finish(desk); }

 private:
  Verdict decide(const Command& command, const Census& census, Instant now, Ledger& ledger);
  Verdict scale(const Command& command, Instant now, Ledger& ledger);
  Verdict burst(const Command& command, Instant now, Ledger& ledger);
  Verdict end_burst(const Command& command, Ledger& ledger);
  Verdict pause(const Command& command, Ledger& ledger);
  Verdict resume(const Command& command, Instant now, Ledger& ledger);
  Verdict recycle(const Command& command, const Census& census, Instant now, Ledger& ledger);
  Verdict drain(const Command& command, const Census& census, Ledger& ledger);
  Verdict close_connection(const Command& command, const Census& census, Instant now, Ledger& ledger);
  Verdict revoke(const Command& command, const Census& census, Ledger& ledger);

  void move_target(const Command& command, int64_t to, SizeSource cause, std::string why, Ledger& ledger);
  void note(const Command& command, EventKind event, std::string text);
  void end_expired_burst(Desk& desk);
  void drop_manual_out_of_range(Desk& desk);

  std::vector<Action> backlog_;  // for the next tick
  Pending pending_;
};

}  // namespace tide::brain
