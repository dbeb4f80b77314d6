// StatementCache: which statements a session keeps prepared. Prepared says the driver; this says which.
//
// A statement is prepared at its second use, because the first may be the only one. Texts that were seen once wait in a
// list of their own, so that a flood of them (literals in texts) evicts no prepared statement. Both lists forget what was
// used least recently. An entry is found by its exact text without scanning it, otherwise by its key without comments.
//
// `Kept` is what the driver keeps for a prepared statement; it is movable, and true in a boolean context if the statement
// is prepared. Evicted ones are handed to the driver, which closes them when it can: take_evicted().
// Threads: none of its own. Failure: that of translate().
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "statement/placeholders.hpp"

namespace tide {

// Of the prepared statements that a session keeps; the totals since it was opened.
struct StatementCounts {
  uint64_t hits_total = 0;       // executions of a statement that was prepared
  uint64_t misses_total = 0;     // executions that had to parse the text
  uint64_t evictions_total = 0;  // statements closed because others were used more recently
  uint32_t held = 0;             // now
  uint64_t bytes = 0;            // now, an estimate
};

template <typename Kept>
class StatementCache {
 public:
  struct Entry {
    std::string key;                    // without comments, and the types of parameters that change the statement
    StatementText text;                 // of the first use
    std::shared_ptr<const void> notes;  // what the driver found out about the text; nullptr: nothing yet
    Kept kept = {};
    uint64_t uses = 0;   // 1 at the first use
    uint64_t bytes = 0;  // of kept, set by the driver
  };

  StatementCache(Dialect dialect, size_t size_max);

  // The entry of a text, which is made at its first use; it is the most recently used then. The pointer is valid until
  // the next call of a non-const function. `types`: types of parameters that change the statement, in any form.
  Result<Entry*> use(std::string_view sql, Placeholders style, std::span<const std::string_view> names,
                     std::string_view types);
  // Whether the entry should be prepared now: at the second use, and if any are kept at all.
  bool is_worth_preparing(const Entry& entry) const;
  // The driver has prepared it: it moves to the list of prepared ones, from which another may be evicted.
  void note_prepared(Entry& entry);
  void note_execution(bool was_prepared) { ++(was_prepared ? counts_.hits_total : counts_.misses_total); }
  // The statement does not exist any more, or must not be used: nothing is evicted, the next use prepares it again.
  void drop(Entry& entry);
  // The session was reset: none exists any more.
  void drop_all();
  // All are suspect: they are evicted, and prepared again at their next use.
  void evict_all();
  void set_size_max(size_t size_max);
  // Statements to be closed in the session.
  std::vector<Kept> take_evicted() { return std::move(evicted_); }
  const StatementCounts& counts() const { return counts_; }

 private:
  // The implementation is chosen by whoever fills this in.
  StatementCounts counts_;
  std::vector<Kept> evicted_;
};

}  // namespace tide
