#include "custom_connector.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "callbacks.hpp"
#include "policy/parse.hpp"

namespace tide {
namespace {

class CustomConnection final : public Connection {
 public:
  CustomConnection(const tide_driver& driver, void* native, uint64_t handle)
      : driver_(driver), native_(native), handle_(handle) {}
  ~CustomConnection() override {
    if (is_abandoned_) return;
    const CallbackScope scope(handle_);
    driver_.close(driver_.context, native_);
  }
  void* native() noexcept override { return native_; }
  Status begin_lease(LeaseMode, Instant) override {
    change_lease();
    return Status::ok();
  }
  Status query(const QueryRequest&, ResultTable&) override {
    return Status::error(Code::unsupported, "a registered driver runs no statements through tidepool", "",
                         "take tide_lease_native() and use the database's own functions");
  }
  Settled settle(ResetMode mode) noexcept override {
    change_lease();
    if (is_disarmed_.load(std::memory_order_acquire)) return Settled::broken;
    return driver_.reset != nullptr && mode != ResetMode::none ? Settled::needs_reset : Settled::clean;
  }
  void cancel(uint64_t lease) noexcept override {
    if (driver_.cancel == nullptr) return;
    const std::lock_guard lock(mutex_);  // the lease it is meant for cannot end while the driver cancels
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
  void disarm() noexcept override {
    is_disarmed_.store(true, std::memory_order_release);
    cancel(kAnyLease);
  }
  void abandon() noexcept override { is_abandoned_ = true; }

 private:
  void change_lease() {
    const std::lock_guard lock(mutex_);
    lease_.fetch_add(1, std::memory_order_relaxed);
  }

  const tide_driver driver_;
  void* const native_;
  std::mutex mutex_;
  const uint64_t handle_;
  std::atomic<uint64_t> lease_{1};
  std::atomic<bool> is_disarmed_{false};
  bool is_abandoned_ = false;
};

// A driver may well quote the URL it was given, and what it says goes into errors, events and the segment.
Status said(const char* what, const char* message) {
  const std::string reason = message[0] != '\0' ? without_password(message) : "the driver gave no reason";
  return Status::error(Code::database, std::string(what) + ": " + reason);
}

}  // namespace

void CustomConnector::open(uint32_t slot, Instant, Instant deadline) {
  work_.push_back({Completion::Kind::opened, slot, nullptr, nullptr, deadline});
}
void CustomConnector::validate(uint32_t slot, Connection& connection, Instant, Instant deadline) {
  work_.push_back({Completion::Kind::validated, slot, &connection, nullptr, deadline});
}
void CustomConnector::reset(uint32_t slot, Connection& connection, ResetMode, Instant, Instant deadline) {
  work_.push_back({Completion::Kind::reset_done, slot, &connection, nullptr, deadline});
}
void CustomConnector::close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) {
  work_.push_back({Completion::Kind::closed, slot, nullptr, std::move(connection), now});
}

Instant CustomConnector::step(Instant, std::vector<Completion>& out) {
  std::vector<Work> due;
  due.swap(work_);
  for (Work& work : due) carry_out(work, out);
  return Instant::never();
}

void CustomConnector::carry_out(Work& work, std::vector<Completion>& out) {
  const CallbackScope scope(handle_);
  char message[512] = {};
  const int64_t left_ms = std::max<int64_t>(1, (work.deadline - clock_.now()).ms());
  Completion done{work.wanted, work.slot, nullptr, Status::ok(), false};
  const auto fail_with = [&](Completion::Kind kind, const char* what) {
    message[sizeof message - 1] = '\0';
    done.kind = kind;
    done.status = said(what, message);
  };
  switch (work.wanted) {
    case Completion::Kind::opened: {
      void* native = nullptr;
      if (driver_.open(driver_.context, url_.c_str(), left_ms, &native, message, sizeof message) == 0) {
        done.connection = std::make_unique<CustomConnection>(driver_, native, handle_);
      } else {
        fail_with(Completion::Kind::open_failed, "connect failed");
      }
      break;
    }
    case Completion::Kind::validated:
      if (driver_.validate != nullptr &&
          driver_.validate(driver_.context, work.connection->native(), left_ms, message, sizeof message) != 0) {
        fail_with(Completion::Kind::validation_failed, "validation failed");
      }
      break;
    case Completion::Kind::reset_done:
      if (driver_.reset != nullptr &&
          driver_.reset(driver_.context, work.connection->native(), left_ms, message, sizeof message) != 0) {
        fail_with(Completion::Kind::reset_failed, "reset failed");
      }
      break;
    default: work.owned.reset();
  }
  out.push_back(std::move(done));
}

}  // namespace tide
