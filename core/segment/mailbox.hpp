// Mailbox, the owner's side: commands that other processes posted.
//
// Whoever may write the file may write anything into it, also while it is read. So it is never mapped, every command is
// copied, checked against its number and checksum, and what does not hold is skipped and counted.
// Threads: the keeper's only.
// Failure: a damaged or vanished mailbox gives no commands; the pool goes on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "os/descriptor.hpp"
#include "segment/format.hpp"

namespace tide {

struct PostedCommand {
  uint64_t number = 0;
  int64_t issued_wall_ns = 0;
  std::string verb;
  std::string actor;
  std::string arguments;  // JSON, unchecked
};

class Mailbox {
 public:
  // `path` is this pool's mailbox; "" makes a mailbox that is always empty. Throws Shortage without a descriptor for
  // it.
  explicit Mailbox(const std::string& path);

  // Commands not seen yet, oldest first; at most kMailboxCommands. Commands overwritten before they were read are lost, which
  // the sender prevents by refusing to post into a full mailbox.
  std::vector<PostedCommand> take();
  // Readable when something was posted; -1 where the system offers no such descriptor: then ask take() now and then.
  int fd() const { return watch_.get(); }
  uint64_t taken() const { return taken_; }
  uint64_t damaged() const { return damaged_; }
  void abandon() noexcept;  // in a forked child

 private:
  void drain_watch();

  Descriptor file_;
  Descriptor watch_;
  uint64_t taken_ = 0;
  uint64_t damaged_ = 0;
};

}  // namespace tide
