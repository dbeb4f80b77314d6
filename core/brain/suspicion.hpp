// Suspicion: a connection died in a way in which all of its age may have died. Have they?
//
// One other connection answers: it has proved to live since, or it is validated. Only when that one is dead too the
// generation is condemned; who ended one session, or two, meant those.
// Invariants: at most one connection is away for this; a suspicion ends after kSuspicionMax whatever happens.
// Threads: the keeper's only.
#pragma once

#include <cstdint>
#include <string>

#include "brain/desk.hpp"

namespace tide::brain {

class Suspicion {
 public:
  // While one is looked into, further bad news is no news.
  void raise(Instant now, std::string why);
  void drop() { *this = Suspicion(); }
  // True: another one of the generation is dead too.
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
  uint64_t asked_ = 0;   // conn_id of the one that is validated; 0: none yet
  Instant asked_at_;
};

}  // namespace tide::brain
