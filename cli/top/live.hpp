// Live: snapshots of the pools of this host, taken in small steps so that keys are answered between them.
//
// What changes all the time is read for all pools at once. What takes long, the history and the insights of a pool, is read
// for one pool in a step, that at the cursor first, and at most every few seconds.
//
// Threads: one. The time is an argument. Failure: as of the sampler.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "record/sampler.hpp"
#include "snapshot.hpp"

namespace tide::cli::top {

using record::kLiveRelations;
using record::Scope;

class Live {
 public:
  explicit Live(Scope scope);

  // Begins a refresh at the next step.
  void refresh() { next_relation_ = 0; }
  bool is_refreshing() const { return next_relation_ < std::size(kLiveRelations); }
  // Reads a relation of the refresh. The snapshot, if it was the last one.
  std::shared_ptr<const Snapshot> step();
  // Reads what is most overdue for one pool: true if there was something. It is in the next snapshot.
  bool step_aside(int64_t now_ns, const std::string& selected_instance);
  // `instance_id`: events of this pool are read at each refresh; "": of all. Only while somebody looks at them.
  void want_events(bool is_wanted, const std::string& instance_id);

 private:
  std::shared_ptr<const Snapshot> finish();

  const Scope scope_;
  const std::string place_;
  size_t next_relation_ = std::size(kLiveRelations);
  Frame frame_;
  Frame before_;
  bool has_before_ = false;
  Tracks tracks_;
  struct Aside {
    Table insights;
    int64_t read_ns = 0;
  };
  std::map<std::string, Aside> asides_;  // by instance
  bool wants_events_ = false;
  std::string events_of_;
};

}  // namespace tide::cli::top
