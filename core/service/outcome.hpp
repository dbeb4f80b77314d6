// What became of a transaction whose COMMIT was not answered: another connection asks the database.
//
// Threads: any. Failure: Outcome::unknown, with the reason.
#pragma once

#include <cstdint>
#include <string>

#include "base/instant.hpp"
#include "pool/pool.hpp"
#include "service/retry.hpp"

namespace tide {

enum class Outcome : uint8_t { committed, aborted, unknown };

struct OutcomeQuestion {
  OutcomeWords words;
  std::string id;      // of the transaction
  std::string server;  // that assigned it: another one, or one that was restarted, may know nothing of it
  Instant give_up;
};

// `why`: set if it is unknown.
Outcome ask_outcome(Pool& pool, const Pauses& pauses, const OutcomeQuestion& question, std::string& why);

}  // namespace tide
