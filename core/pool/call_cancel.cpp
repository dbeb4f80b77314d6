#include "pool/call_cancel.hpp"

#include <string>
#include <utility>

#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {
namespace {

constexpr Span kAgainAfter = Span::millis(20);

Status cancelled(std::string message, std::string detail) {
  Status status = Status::error(Code::cancelled, std::move(message), std::move(detail));
  status.text().sqlstate = "57014";
  return status;
}

}  // namespace

Status cancelled_before(std::string_view what) {
  Status status = cancelled(std::string(what) + " was cancelled by its token before it began", "");
  status.is_unexecuted = true;
  return status;
}

Status cancelled_after(const Status& failure) {
  return cancelled("the call was cancelled by its token, and is not repeated",
                   "The last attempt failed with: " + failure.message());
}

void TrippedCalls::add(CallCancel& call) noexcept {
  const std::lock_guard lock(mutex_);
  call.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &call;
  first_ = &call;
  call.is_listed_ = true;
  call.cancel();
}

void TrippedCalls::remove(CallCancel& call) noexcept {
  const std::lock_guard lock(mutex_);
  (call.previous_ != nullptr ? call.previous_->next_ : first_) = call.next_;
  if (call.next_ != nullptr) call.next_->previous_ = call.previous_;
}

Instant TrippedCalls::repeat(Instant now) noexcept {
  const std::lock_guard lock(mutex_);
  for (CallCancel* call = first_; call != nullptr; call = call->next_) call->cancel();
  return first_ != nullptr ? now + kAgainAfter : Instant::never();
}

CallCancel::CallCancel(Pool& pool, LeaseId lease, CancelToken& token) noexcept
    : OnTrip(&CallCancel::tripped), pool_(pool), lease_(lease), token_(token) {
  may_begin_ = watch(token);
}

CallCancel::~CallCancel() {
  unwatch();
  if (is_listed_) pool_.tripped_calls().remove(*this);
}

void CallCancel::tripped(OnTrip& self) noexcept {
  auto& call = static_cast<CallCancel&>(self);
  call.pool_.tripped_calls().add(call);
  call.pool_.keeper().poke();
}

void CallCancel::cancel() noexcept {
  const Visit visit(Presence::key_of_slot(pool_.key(), lease_.slot()));  // keeps the session from being destroyed
  (void)pool_.cancel(lease_);
}

Status CallCancel::told(Status status) const {
  if (status || status.sqlstate() != "57014" || status.code != Code::database || !token_.is_tripped()) return status;
  status.code = Code::cancelled;
  status.text().detail =
      "The database reported: " + status.message() + (status.detail().empty() ? "" : ". ") + status.detail();
  status.text().message = "the call was cancelled by its token";
  return status;
}

}  // namespace tide
