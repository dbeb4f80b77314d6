// A random program of calls of a service, made from a seed: several actors whose steps interleave, and faults.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "driver/fake/server.hpp"

namespace tide::programs {

// Meets the nth statement that the database gets during a step, from 1.
struct FaultAt {
  fake::Fault fault = fake::Fault::none;
  int nth = 0;
  bool restarts = false;  // and the server restarts then
};

enum class Kind : uint8_t {
  add,          // outside or inside of a transaction, as the actor is
  get,          // the same
  alter,        // leaves something in the session
  state,        // asks whether something is left there
  batch,        // outside: two adds
  begin,        // a handle
  transact,     // a body: what the actor does up to `end`
  end,          // of the body, which returns `number`; 9: it throws
  savepoint,    //
  rollback_to,  //
  release,      //
  commit,       // of a handle
  rollback,     //
  pass,         // time, in milliseconds
  kill,         // a session
  restart,      // the server
  decide,       // commits in progress: `number` 1 commits
  down_and_up,  // the server is down for `number` milliseconds
};

struct Step {
  Kind kind = Kind::pass;
  int actor = 0;
  int key = 0;
  int number = 0;  // of a savepoint, of a session, of milliseconds; of a begin or transact: its deadline, 0: none
  int id = 0;      // of an add: its digit is 1 if it has taken effect. Also id + 1 in a batch
  std::array<FaultAt, 2> faults = {};
};

struct Program {
  uint64_t seed = 0;
  bool is_checked = true;      // commit_check
  bool may_end_others = true;  // what the server permits
  std::vector<Step> steps;
};

inline constexpr int kActors = 4;
inline constexpr int kKeys = 4;
inline constexpr int kAddsMax = 30 * kKeys;  // each has two bits of a number of its key

Program make_program(uint64_t seed);
std::string text_of(const Step& step);

}  // namespace tide::programs
