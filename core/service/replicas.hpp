// Replicas: the servers of a group: one primary and its replicas, each with a pool of its own. Probes watch them, and reads
// are leased from the replica that Routing chooses, else from the primary.
//
// One thread for each server, so that one that does not answer delays no other. A foreign loop does not drive them: they
// only ask for roles and positions, and call nothing of the program.
//
// W1  A read that begins after a write of this group has ended sees it, if read_your_writes is on: it gets a replica that has
//     replayed the position which the primary had after the read began, or the primary.
// W2  After end() no thread of the group uses a pool, also if it has not returned from a call.
// Threads: any, each within a Visit of the primary; the pools outlive the group.
// Failure: Status. A read that no replica can serve is served by the primary.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pool/target_probe.hpp"
#include "service/lease_use.hpp"
#include "service/routing.hpp"

namespace tide {

// Asks all of them at once, at most `timeout`. nullopt: no answer.
std::vector<std::optional<TargetReport>> survey_group(std::span<const std::unique_ptr<TargetProbe>> probes,
                                                      Span timeout);

class Replicas {
 public:
  struct Member {
    Pool* pool = nullptr;
    uint64_t handle = 0;  // of the pool, for the program
    std::unique_ptr<TargetProbe> probe;
  };

  // The primary is first. Throws Shortage if a thread cannot be started.
  explicit Replicas(std::vector<Member> members);
  ~Replicas();
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;

  // A lease for reading. Waits at most as long as the request says, in total.
  Status acquire(OwnLease& lease, AcquireRequest request);
  // The same, asynchronously: `done` gets the handle of the pool whose lease it is. A position that is not known to be
  // replayed is not waited for.
  using Done = std::function<void(uint64_t handle, Code, LeaseId, const Status&)>;
  Code acquire_async(const AcquireRequest& request, Done done);
  // A statement on this pool failed because its server is gone.
  void note_lost(const Pool& pool, const Status& why);
  uint64_t handle_of(const Pool& pool) const;
  std::span<const uint64_t> replica_handles() const { return replica_handles_; }

  // Ends the threads; waits for them until `give_up`.
  void end(Instant give_up);

  bool hold_for_fork(Instant give_up) noexcept;
  void release_after_fork() noexcept;
  void abandon_after_fork(bool is_whole) noexcept;

 private:
  struct Activity;
  struct Watch;
  size_t choose(Instant deadline, bool may_wait, uint64_t tried);
  Code ask_later(size_t target, AcquireRequest request, Instant deadline, const Done& done);

  const std::shared_ptr<Watch> watch_;  // kept alive by its threads
  std::vector<uint64_t> replica_handles_;
};

}  // namespace tide
