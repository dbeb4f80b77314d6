// PoolLocator: the pool that a command is for, found by what a person calls it or by a number that it gave out, and what it
// answered.
//
// A pool with a segment file is reached through its mailbox; one without, if it is of this process, through the
// engine's hook (local_control.hpp). Threads: one at a time. Failure: not_found, refused or bad_argument, each listing what
// there is instead.
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

// Asked between two looks at an answer; true ends the wait.
using IsInterrupted = std::function<bool()>;

class LocatedPool {
 public:
  // The one live pool of that name or instance id, in the directory or in this process.
  static Result<LocatedPool> find(const std::string& directory, std::string_view pool_or_instance);
  // The pool that gave out this command id; dead ones too, because their answers may still be there.
  static Result<LocatedPool> of_command(const std::string& directory, uint64_t command_id);
  // The pools that a command is for: the one that is named, else whose connection, lease or alert it is about, else each
  // that lives.
  static Result<std::vector<LocatedPool>> for_command(const std::string& directory,
                                                      const std::optional<std::string>& pool_or_instance,
                                                      const Command& command);

  const Attachment& segment() const { return segment_; }
  std::string name() const { return "pool \"" + segment_.header().pool + "\""; }

  // What can be known before posting: that the command will arrive, and that the pool can take it whatever its state.
  Status check(const Command& command) const;
  Result<uint64_t> post(const Command& command) const;
  // Until the command is applied (ok) or refused, also because the owner ended; timeout when the time is over.
  // With `is_known_posted` a command that is not to be seen is waited for, else it is not_found.
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
  Descriptor local_;  // our own copy; not open: the segment is a file
};

}  // namespace tide
