// CallCancel: while it lives, tripping a token cancels the call that runs on a lease.
// TrippedCalls: the calls of a pool that still run although their token is tripped.
//
// A cancel has no effect on a session that has not begun to execute yet, so it is repeated by the keeper until the call
// has returned. It never reaches another call: the destructor waits for a cancel in progress.
//
// Threads: CallCancel belongs to the call; TrippedCalls any, repeat() the keeper.
// Failure: none; a session that cannot be cancelled finishes its statement.
#pragma once

#include <mutex>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "pool/cancel_token.hpp"
#include "segment/slot_word.hpp"

namespace tide {

class CallCancel;
class Pool;

class TrippedCalls {
 public:
  // Cancels it now, and again later.
  void add(CallCancel& call) noexcept;
  void remove(CallCancel& call) noexcept;
  // Returns when it wants to be called next.
  Instant repeat(Instant now) noexcept;

 private:
  std::mutex mutex_;
  CallCancel* first_ = nullptr;
};

class CallCancel final : private OnTrip {
 public:
  // The calling thread keeps the pool open.
  CallCancel(Pool& pool, LeaseId lease, CancelToken& token) noexcept;
  ~CallCancel();

  // False: the token was tripped before.
  bool may_begin() const { return may_begin_; }
  // The result of the call: Code::cancelled if the database was interrupted because of the token.
  Status told(Status status) const;

 private:
  friend class TrippedCalls;
  static void tripped(OnTrip& self) noexcept;
  void cancel() noexcept;

  Pool& pool_;
  const LeaseId lease_;
  const CancelToken& token_;
  bool may_begin_ = false;
  bool is_listed_ = false;
  CallCancel* next_ = nullptr;
  CallCancel* previous_ = nullptr;
};

// Nothing was begun, or repeated, because the token was tripped.
Status cancelled_before(std::string_view what);
// After an error that would have been followed by another attempt.
Status cancelled_after(const Status& failure);

}  // namespace tide
