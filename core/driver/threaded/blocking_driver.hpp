// BlockingDriver: a driver whose calls may block for any time: files, and drivers registered by
// the program.
//
// Threads: calls for one session never overlap. Calls for different sessions overlap if may_overlap(); otherwise they are
//          made one at a time, except that they may overlap late calls. Calls marked [any] may be made at any
//          time.
// Failure: a Status; std::bad_alloc out of open(), validate(), reset() and look() is treated as one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "policy/policy.hpp"
#include "pool/ports.hpp"

namespace tide {

class BlockingDriver {
 public:
  struct Opened {
    std::unique_ptr<Connection> connection;  // null: failure
    Status status;
    bool is_permanent = false;  // retrying is useless
    bool is_busy = false;       // the cause is temporary
    uint64_t generation = 0;    // of the file; 0: cannot be lost
  };

  virtual ~BlockingDriver() = default;

  virtual Opened open(Instant deadline) = 0;
  virtual Status validate(Connection& session, Instant deadline) = 0;
  virtual Status reset(Connection& session, ResetMode mode, Instant deadline) = 0;
  virtual void close(std::unique_ptr<Connection> session) noexcept { session.reset(); }
  // Checks the file that the sessions have open.
  virtual FileFacts look() { return {}; }
  // What the driver does on its own account, such as checkpoints; at any time, one call at a time.
  virtual void work() {}

  // [any] As Connector.
  virtual std::shared_ptr<ChangeWatch> change_watch() { return nullptr; }
  // [any] Whether look() is needed.
  virtual bool has_file() const noexcept { return false; }
  // [any] Whether work() is wanted ...
  virtual bool wants_work() const noexcept { return false; }
  // [any] ... and whom to call, from any thread, when it is; empty: nobody.
  virtual void on_wanted(std::function<void()>) {}
  // [any] Sessions up to this generation have lost their file, according to the last check ...
  virtual uint64_t lost_generation() const noexcept { return 0; }
  // [any] ... for this reason.
  virtual Status loss() const { return Status::ok(); }
  // [any] The owner of the calls, for messages, such as "the driver's".
  virtual std::string whose() const = 0;
  // [any] The hint for calls that do not return.
  virtual std::string hint() const = 0;
  // [any] Whether calls for different sessions may overlap.
  virtual bool may_overlap() const noexcept = 0;
  // [any]
  virtual int64_t memory_bytes() const { return -1; }
  // [any] For sessions opened from now on.
  virtual void set_policy(const Policy&) {}
  // For a forked child; no other function is called afterwards.
  virtual void abandon() noexcept {}
};

}  // namespace tide
