// Addressee: the pool an order is meant for, found by what a person calls it, and what it answered.
//
// A pool with a segment file is reached through its mailbox; one without, if it is of this process, through the
// engine's hook (local.hpp). Threads: one at a time. Failure: not_found, refused or bad_argument, each listing what
// there is instead.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "model/command.hpp"
#include "os/descriptor.hpp"
#include "plane/attach.hpp"

namespace tide {

class Addressee {
 public:
  // The one live pool of that name or instance id, in the directory or in this process.
  static Result<Addressee> find(const std::string& directory, std::string_view pool_or_instance);
  // The pool that gave out this command id; dead ones too, because their answers may still be there.
  static Result<Addressee> of_command(const std::string& directory, uint64_t command_id);

  // Every live pool.
  static std::vector<Addressee> living(const std::string& directory);
  // The one live pool that has this connection, or this lease.
  static Result<Addressee> of_connection(const std::string& directory, uint64_t conn_id);
  static Result<Addressee> of_lease(const std::string& directory, uint64_t lease_id);
  // The live pool that gave out this alert id.
  static Result<Addressee> of_alert(const std::string& directory, uint64_t alert_id);

  // What can be known before posting: that the order will arrive, and that the pool can take it whatever its state.
  Status check(const Command& command) const;
  Result<uint64_t> post(const Command& command) const;
  // Until the order is obeyed (ok) or refused, also because the owner ended; timeout when the patience is over.
  // With `is_known_posted` an order that is not to be seen is waited for, else it is not_found.
  Status wait(uint64_t command_id, Span patience, bool is_known_posted) const;

 private:
  Addressee(Attachment segment, Descriptor local) : segment_(std::move(segment)), local_(std::move(local)) {}
  using Has = std::function<bool(const SlotCopy&)>;
  static Result<Addressee> of_slot(const std::string& directory, const std::string& what, const std::string& relation,
                                   const Has& has);
  using Visit = std::function<bool(Addressee&)>;
  static size_t for_each(const std::string& directory, const Visit& visit);
  Liveness liveness() const;
  bool may_be_unanswered(uint64_t command_id, const std::vector<CommandCopy>& commands) const;
  std::string name() const { return "pool \"" + segment_.header().pool + "\""; }

  Attachment segment_;
  Descriptor local_;  // a copy of our own; not open: the segment is a file
};

}  // namespace tide
