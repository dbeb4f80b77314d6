// Suspicion: a connection was lost in a way that may affect all connections of its age. This finds out whether it does.
//
// One other connection decides: it has proved to be alive since, or it is validated. The generation is condemned only
// if that one is dead too; otherwise only the lost sessions were affected.
// Invariants: at most one connection is validated for this; a suspicion ends after kSuspicionMax in any case.
// Threads: the keeper only.
#pragma once

#include <cstdint>
#include <string>

#include "brain/desk.hpp"

namespace tide::brain {

class Suspicion {
 public:
  // While one is being examined, further losses are ignored.
  void raise(Instant now, std::string why);
  void drop() { *this = Suspicion(); }
  // True: another connection of the generation is dead too.
  bool is_confirmed(Desk& desk);
  const std::string& why() const { return why_; }
  uint64_t newest() const { return newest_; }  // conn_id: the generation ends with this one

 private:
  enum class Finding : uint8_t { none, alive, dead, waiting };
  Finding look(const Desk& desk, bool& is_anyone_left);
  void ask_one(Desk& desk);

  std::string why_;  // empty: no suspicion
  Instant raised_at_;
  uint64_t newest_ = 0;  // 0: no tick has seen the census yet
  uint64_t asked_ = 0;   // conn_id of the one being validated; 0: none yet
  Instant asked_at_;
};

}  // namespace tide::brain
