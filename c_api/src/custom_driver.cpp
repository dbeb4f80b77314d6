#include "custom_driver.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/text.hpp"
#include "callbacks.hpp"
#include "policy/parse.hpp"

namespace tide {
namespace {

class CustomConnection final : public Connection {
 public:
  CustomConnection(const tide_driver& driver, uint64_t handle) : driver_(driver), handle_(handle) {}
  ~CustomConnection() override {
    if (is_abandoned_ || !is_open_) return;
    const CallbackScope scope(handle_);
    driver_.close(driver_.context, native_);
  }
  void take(void* native) noexcept {
    native_ = native;
    is_open_ = true;
  }
  void* native() noexcept override { return native_; }
  Status begin_lease(LeaseMode, Instant) override {
    change_lease();
    return Status::ok();
  }
  Settled settle(ResetMode mode) noexcept override {
    change_lease();
    if (is_disarmed_.load(std::memory_order_acquire)) return Settled::broken;
    return driver_.reset != nullptr && mode != ResetMode::none ? Settled::needs_reset : Settled::clean;
  }
  void cancel(uint64_t lease) noexcept override {
    if (driver_.cancel == nullptr) return;
    const std::lock_guard lock(mutex_);  // the lease that is meant cannot end while the driver cancels
    if (lease != kAnyLease && lease != lease_.load(std::memory_order_relaxed)) return;
    const CallbackScope scope(handle_);
    driver_.cancel(driver_.context, native_);
  }
  SessionFacts facts() const noexcept override {
    SessionFacts facts;
    facts.lease = lease_.load(std::memory_order_relaxed);
    return facts;
  }
  bool end_transaction(std::string_view, uint64_t) noexcept override { return false; }
  void disarm() noexcept override { is_disarmed_.store(true, std::memory_order_release); }
  void finish_disarm() noexcept override { cancel(kAnyLease); }
  void abandon() noexcept override { is_abandoned_ = true; }

 private:
  void change_lease() {
    const std::lock_guard lock(mutex_);
    lease_.fetch_add(1, std::memory_order_relaxed);
  }

  const tide_driver driver_;
  void* native_ = nullptr;
  std::mutex mutex_;
  const uint64_t handle_;
  std::atomic<uint64_t> lease_{1};
  std::atomic<bool> is_disarmed_{false};
  bool is_open_ = false;
  bool is_abandoned_ = false;
};

// The error message of a driver.
class Message {
 public:
  char* text() noexcept { return text_; }
  size_t bytes() const noexcept { return sizeof text_; }
  // A driver may quote the URL in its message, and the message is written to errors, events and the segment.
  Status failure(const char* what) {
    text_[sizeof text_ - 1] = '\0';
    const std::string reason = text_[0] != '\0' ? without_password(text_) : "the driver reported no reason";
    return Status::error(Code::database, std::string(what) + ": " + reason);
  }

 private:
  char text_[512] = {};
};

}  // namespace

int64_t CustomDriver::ms_left(Instant deadline) const { return std::max<int64_t>(1, (deadline - clock_.now()).ms()); }

BlockingDriver::Opened CustomDriver::open(Instant deadline) {
  Opened opened;
  auto session = std::make_unique<CustomConnection>(driver_, handle_);  // nothing may fail after the driver has opened
  const CallbackScope scope(handle_);
  Message message;
  void* native = nullptr;
  if (driver_.open(driver_.context, url_.c_str(), ms_left(deadline), &native, message.text(), message.bytes()) != 0) {
    opened.status = message.failure("connect failed");
    return opened;
  }
  session->take(native);
  opened.connection = std::move(session);
  return opened;
}

Status CustomDriver::validate(Connection& session, Instant deadline) {
  if (driver_.validate == nullptr) return Status::ok();
  const CallbackScope scope(handle_);
  Message message;
  const int failed =
      driver_.validate(driver_.context, session.native(), ms_left(deadline), message.text(), message.bytes());
  return failed == 0 ? Status::ok() : message.failure("validation failed");
}

Status CustomDriver::reset(Connection& session, ResetMode, Instant deadline) {
  if (driver_.reset == nullptr) return Status::ok();
  const CallbackScope scope(handle_);
  Message message;
  const int failed =
      driver_.reset(driver_.context, session.native(), ms_left(deadline), message.text(), message.bytes());
  return failed == 0 ? Status::ok() : message.failure("reset failed");
}

}  // namespace tide
