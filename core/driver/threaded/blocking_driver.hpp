// BlockingDriver: a driver whose calls come back when they are done, however long that takes: files, and functions of
// the program.
//
// Threads: calls for one session never overlap. Those for different sessions do where may_overlap() says so; else they
//          are made one at a time, but beside calls that have missed their deadline. Calls marked [any] may come at any
//          moment.
// Failure: a Status; std::bad_alloc out of open(), validate(), reset() and look() is taken for one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide {

class BlockingDriver {
 public:
  struct Opened {
    std::unique_ptr<Connection> connection;  // null: it failed
    Status status;
    bool is_permanent = false;  // trying again cannot help
    bool is_busy = false;       // what stood in the way passes in a moment
    uint64_t generation = 0;    // of the file; 0: it cannot be lost
  };

  virtual ~BlockingDriver() = default;

  virtual Opened open(Instant deadline) = 0;
  virtual Status validate(Connection& session, Instant deadline) = 0;
  virtual Status reset(Connection& session, ResetMode mode, Instant deadline) = 0;
  virtual void close(std::unique_ptr<Connection> session) noexcept { session.reset(); }
  // At the file that the sessions have open.
  virtual FileFacts look() { return {}; }

  // [any] Does look() see anything?
  virtual bool has_file() const noexcept { return false; }
  // [any] Sessions up to this one have lost their file, as far as anybody has looked ...
  virtual uint64_t lost_generation() const noexcept { return 0; }
  // [any] ... for this reason.
  virtual Status loss() const { return Status::ok(); }
  // [any] Whose calls they are, for messages, such as "the driver's".
  virtual std::string whose() const = 0;
  // [any] What to do about calls that do not come back.
  virtual std::string hint() const = 0;
  // [any] May calls for different sessions run at once?
  virtual bool may_overlap() const noexcept = 0;
  // [any]
  virtual int64_t memory_bytes() const { return -1; }
  // [any] For sessions opened from now on.
  virtual void set_policy(const Policy&) {}
  // In a forked child, where nothing else is called afterwards.
  virtual void abandon() noexcept {}
};

}  // namespace tide
