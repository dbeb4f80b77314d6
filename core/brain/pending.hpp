// Pending: commands that were accepted but have not finished.
//
//  drain             until no connection is left
//  recycle           until the last old connection is gone and the size is restored, or no longer needed
//  close_connection  until it is gone
//
// Invariants: at most kMax at once; each accepted command gets exactly one finish_command. Command k waits for
// connections by bit k in their dossiers, so that overlapping commands cost nothing more.
// Threads: the keeper only. Failure: full; the caller refuses the command.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "brain/desk.hpp"

namespace tide::brain {

class Pending {
 public:
  static constexpr int kMax = 64;

  bool is_full() const { return n_ == kMax; }
  // `connections`: how many it concerns, for the message. Returns the bit for the dossiers. Must not be full.
  uint64_t admit(const Command& command, int64_t connections);
  // Every drain ends as refused: another command replaced it before it finished.
  void overtake_drains(const std::string& by_what, std::vector<Action>& out);
  // Reports those that have finished.
  void finish(Desk& desk);

 private:
  struct Entry {
    bool is_used = false;
    uint64_t command_id = 0;
    Verb verb = Verb::drain;
    int64_t number = 0;
    int64_t connections = 0;
  };
  bool is_done(const Entry& entry, bool is_awaited, const Desk& desk) const;
  void close(Entry& entry) {
    entry.is_used = false;
    --n_;
  }

  std::array<Entry, kMax> entries_;
  int n_ = 0;
};

}  // namespace tide::brain
