// PoolLocator: finds the pool that a command is for, by its name or by a number that it issued, and reads its answers.
//
// A pool with a segment file is controlled through its mailbox; one without, if it belongs to this process, through the
// engine's functions (segment/local_pools.hpp). Threads: one at a time. Failure: not_found, refused or bad_argument, each
// listing what exists instead.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "model/command.hpp"
#include "os/descriptor.hpp"
#include "segment/attach.hpp"

namespace tide {

// Called between two checks for an answer; true ends the wait.
using IsInterrupted = std::function<bool()>;

class LocatedPool {
 public:
  // The only live pool with that name or instance id, in the directory or in this process.
  static Result<LocatedPool> find(const std::string& directory, std::string_view pool_or_instance);
  // The pool that issued this command id; also a dead one, because its answers may still be readable.
  static Result<LocatedPool> of_command(const std::string& directory, uint64_t command_id);
  // The pools that a command is for: the named one, else the one that has its connection, lease or alert, else every
  // live pool.
  static Result<std::vector<LocatedPool>> for_command(const std::string& directory,
                                                      const std::optional<std::string>& pool_or_instance,
                                                      const Command& command);

  const Attachment& segment() const { return segment_; }
  std::string name() const { return "pool \"" + segment_.header().pool + "\""; }

  // What can be checked before posting: the command will arrive, and the pool can accept it whatever its state.
  Status check(const Command& command) const;
  Result<uint64_t> post(const Command& command) const;
  // Waits until the command is applied (ok) or refused, also because the owner exited; timeout when the time has
  // elapsed. With `is_known_posted`, waits for a command that cannot be found; otherwise it is not_found.
  Status wait(uint64_t command_id, Span timeout, bool is_known_posted, const IsInterrupted& is_interrupted) const;

 private:
  LocatedPool(Attachment segment, Descriptor local) : segment_(std::move(segment)), local_(std::move(local)) {}
  using Has = std::function<bool(const SlotCopy&)>;
  static Result<LocatedPool> of_slot(const std::string& directory, const std::string& what, const std::string& relation,
                                     const Has& has);
  static Result<LocatedPool> of_alert(const std::string& directory, uint64_t alert_id);
  static std::vector<LocatedPool> living(const std::string& directory);
  using Visit = std::function<bool(LocatedPool&)>;
  static size_t for_each(const std::string& directory, const Visit& visit);
  Liveness liveness() const;
  bool may_be_unanswered(uint64_t command_id, const std::vector<format::CommandRecord>& commands) const;

  Attachment segment_;
  Descriptor local_;  // a duplicate; not open: the segment is a file
};

}  // namespace tide
