// Mailbox, the owner's side: reads commands that other processes posted.
//
// A process that may write the file may write anything into it, also while it is read. So the file is never mapped;
// every command is copied and compared with its number and checksum, and an invalid one is skipped and counted.
// Threads: the keeper only.
// Failure: a damaged or missing mailbox returns no commands; the pool continues.
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
  // `path` is this pool's mailbox; "" makes a mailbox that is always empty. Throws Shortage if no descriptor is
  // available.
  explicit Mailbox(const std::string& path);

  // Commands not yet read, oldest first; at most kMailboxCommands. Commands overwritten before they were read are lost,
  // which the sender prevents by refusing to post into a full mailbox.
  std::vector<PostedCommand> take();
  // Readable when a command was posted; -1 if the system provides no such descriptor: then take() must be called
  // regularly.
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
