// Agenda: future events and their times. Events at the same time keep the order in which they were added.
#pragma once

#include <functional>
#include <queue>
#include <vector>

#include "base/instant.hpp"

namespace tide::sim {

class Agenda {
 public:
  using Deed = std::function<void()>;

  void at(Instant when, Deed deed) { entries_.push({when, next_number_++, std::move(deed)}); }
  Instant next() const { return entries_.empty() ? Instant::never() : entries_.top().when; }
  // Removes the first one; it may add new ones when it is run.
  Deed take() {
    Deed deed = std::move(const_cast<Entry&>(entries_.top()).deed);  // the order does not depend on the deed
    entries_.pop();
    return deed;
  }

 private:
  struct Entry {
    Instant when;
    uint64_t number;
    Deed deed;
    bool operator<(const Entry& other) const {  // the queue's top is the greatest
      return when != other.when ? when > other.when : number > other.number;
    }
  };
  std::priority_queue<Entry> entries_;
  uint64_t next_number_ = 0;
};

}  // namespace tide::sim
