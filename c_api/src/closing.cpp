#include "closing.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "callbacks.hpp"
#include "handles.hpp"
#include "notify/webhook.hpp"
#include "os/clock.hpp"
#include "pool/keeper.hpp"
#include "service/replicas.hpp"
#include "service/service.hpp"
#include "unlisted_pool.hpp"

namespace tide {
namespace {

constexpr Span kWithdrawTimeout = Span::seconds(5);
constexpr Span kKeeperTimeout = Span::seconds(7);    // after the deadline; the keeper gives up before that
constexpr Span kCallbackTimeout = Span::seconds(1);  // after the deadline and the keeper's end
constexpr Span kSavingTimeout = Span::seconds(2);    // for the last write of history_file
constexpr Span kProbesTimeout = Span::millis(500);   // those that are not blocked need microseconds

// How long the last alerts may take, of what is left of the time to close.
Span farewell_of(Span left) { return std::clamp(left, Span::millis(250), Span::seconds(1)); }

// A pool cannot be closed by a thread that is inside it.
bool am_i_inside(uint64_t handle) {
  return CallbackScope::is_inside(handle) || Presence::am_i_in(Handles::pool_key(handle));
}

Status refuse_inside(const char* what) {
  return Status::error(Code::bad_argument, std::string(what) + " from its own callback", "nothing was closed",
                       "close from another thread, or after the callback has returned");
}

// Keeps objects that code of the program may still use. They remain reachable, so that tools do not report a leak.
void keep_forever(Pool* pool, Service* service, ThreadKeeper* thread) {
  struct Kept {
    Pool* pool;
    Service* service;
    ThreadKeeper* thread;
    Kept* next;
  };
  static std::atomic<Kept*> first{nullptr};
  Kept* const kept = new (std::nothrow) Kept{pool, service, thread, first.load()};
  while (kept != nullptr && !first.compare_exchange_weak(kept->next, kept)) {
  }
}

// Drives the keeper, or lets its thread drive it, until it is closed. False: it is blocked in code of the program.
bool close_keeper(PoolEntry& entry, Instant deadline, Instant give_up) {
  if (entry.thread != nullptr) return entry.thread->close(deadline, give_up);
  Keeper& keeper = entry.pool->keeper();
  for (;;) {
    const StepTurn turn(entry);
    if (turn) {
      keeper.begin_close(deadline);
      while (!keeper.is_closed()) {
        wait_for_keeper(keeper, step_or_pause(keeper));
        entry.callbacks->tell_waiting();  // the program may release leases there
      }
      return true;
    }
    if (SystemClock::instance().now() >= give_up) return false;
    pause_for(Span::micros(200));
  }
}

// Closing one pool, in two parts: replicas are destroyed only after nobody uses their primary any more.
class Closing {
 public:
  // Only one thread may close a pool: it has set is_closing.
  Closing(uint64_t handle, Instant deadline)
      : handle_(handle),
        entry_(Handles::entry_of(handle)),
        own_(*entry_.pool),
        callbacks_(entry_.callbacks->shared_from_this()),
        deadline_(deadline) {}
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;

  // The keeper closes its sessions; leases may end until the deadline.
  void end() {
    is_keeper_out_ = close_keeper(entry_, deadline_, deadline_ + kKeeperTimeout);
    had_to_revoke_ = is_keeper_out_ && own_.keeper().had_to_revoke();
    if (is_keeper_out_) left_behind_ = own_.keeper().left_behind();
    end_webhook();
    const Instant callbacks_end = latest(deadline_, own_.clock().now()) + kCallbackTimeout;
    const bool are_calls_over = entry_.service->finish(callbacks_end);
    // If the disk takes longer, the history is in the segment directory.
    (void)own_.finish_saving(kSavingTimeout);
    if (entry_.thread == nullptr) callbacks_->tell_last();
    is_all_told_ = callbacks_->finish(callbacks_end) && are_calls_over;
  }
  // Nobody can find it, or uses it, any more.
  void withdraw() {
    // A callback of an asynchronous call that has not returned does not use the pool any more.
    is_everyone_out_ =
        Handles::instance().withdraw(entry_, is_keeper_out_ ? kWithdrawTimeout : Span{}) && is_keeper_out_;
    std::unique_ptr<Service> service(entry_.service);
    if (is_everyone_out_) {
      Handles::instance().forget_service(entry_);
      return service.reset();
    }
    kept_service_ = service.release();
  }
  bool is_everyone_out() const { return is_everyone_out_; }
  // `is_used_elsewhere`: by a pool that could not be withdrawn.
  Status destroy(bool is_used_elsewhere = false) {
    const std::string who = "pool \"" + own_.name() + "\" is closed, but ";
    std::unique_ptr<ThreadKeeper> thread(entry_.thread);
    if (!is_everyone_out_ || is_used_elsewhere) {  // a function of the program has not returned: leak memory for safety
      keep_forever(&own_, kept_service_, thread.release());
    } else {
      const UnlistedPool last_owner(handle_, std::unique_ptr<Pool>(&own_));
    }
    Handles::instance().retire(entry_);
    return outcome(who);
  }

 private:
  // The last alerts are sent after the keeper has ended, because it raises them.
  void end_webhook() {
    if (entry_.webhook == nullptr) return;
    const Instant now = own_.clock().now();
    entry_.webhook->finish(now + farewell_of(deadline_ - now));
    Handles::instance().forget_webhook(entry_);
  }
  Status outcome(const std::string& who) const {
    if (!is_everyone_out_ || !is_all_told_) {
      return Status::error(Code::timeout, who + "a function of the program that it called has not returned",
                           is_everyone_out_ ? "pending outcomes of asynchronous calls are reported when it returns"
                                            : "its memory is not released",
                           "return from callbacks and from a driver's functions; their contexts are still in use");
    }
    if (!left_behind_) {
      return Status::error(Code::timeout, who + left_behind_.message(), left_behind_.detail(), left_behind_.hint());
    }
    if (!had_to_revoke_) return Status::ok();
    return Status::error(Code::timeout, who + "leases had to be revoked",
                         "not all leases were released within the timeout",
                         "release leases before closing, or increase the timeout");
  }

  const uint64_t handle_;
  PoolEntry& entry_;
  Pool& own_;
  const std::shared_ptr<Callbacks> callbacks_;
  const Instant deadline_;
  bool is_keeper_out_ = false;
  bool had_to_revoke_ = false;
  Status left_behind_;
  bool is_all_told_ = false;
  bool is_everyone_out_ = false;
  Service* kept_service_ = nullptr;
};

// Runs each in a thread of its own, except the last; where no thread is available, one after the other.
void run_together(std::vector<std::function<void()>> works) {
  std::vector<std::thread> threads;
  threads.reserve(works.size());  // nothing may fail while they run
  for (size_t i = 0; i < works.size(); ++i) {
    if (i + 1 < works.size()) {
      try {
        threads.emplace_back(works[i]);
        continue;
      } catch (const std::system_error&) {
      }
    }
    works[i]();
  }
  for (std::thread& thread : threads) thread.join();
}

// From here on only this thread may end the pool and its replicas, and nothing that it does may fail.
Status close_group(uint64_t handle, Instant deadline) {
  PoolEntry& entry = Handles::entry_of(handle);
  std::deque<Closing> members;
  members.emplace_back(handle, deadline);
  if (entry.replicas != nullptr) {
    for (const uint64_t replica : entry.replicas->replica_handles()) {
      Handles::entry_of(replica).is_closing.store(true);
      members.emplace_back(replica, deadline);
    }
    entry.replicas->end(SystemClock::instance().now() + kProbesTimeout);
  }
  std::vector<std::function<void()>> ends;
  for (Closing& member : members) ends.insert(ends.begin(), [&member] { member.end(); });  // the primary in this thread
  run_together(std::move(ends));
  Closing& first = members.front();
  first.withdraw();
  const bool is_used = !first.is_everyone_out();
  std::unique_ptr<Replicas> replicas = Handles::instance().take_replicas(entry);
  if (is_used) (void)replicas.release();  // it stays reachable from the service
  replicas.reset();
  Status status = first.destroy();
  for (size_t i = 1; i < members.size(); ++i) {
    members[i].withdraw();
    Status other = members[i].destroy(is_used);
    if (status) status = std::move(other);
  }
  return status;
}

}  // namespace

Status close_opened(uint64_t handle, std::optional<Span> timeout) {
  PoolEntry& entry = Handles::entry_of(handle);
  const tide_pool* const pool = Handles::handle_of(handle);
  Instant now;
  {
    const Door door(pool);
    if (!door) return no_entry(door.code());
    now = door->clock().now();
    if (entry.is_closing.exchange(true)) return no_entry(Code::closed);
  }
  return close_group(handle, now + timeout.value_or(entry.pool->keeper().policy().shutdown_timeout));
}

namespace {

Status refuse_replica() {
  return Status::error(Code::refused, "the pool belongs to a group, and is closed with its primary",
                       "nothing was closed", "close the pool that was opened with replica_url");
}

// The pool, or one of its replicas.
bool am_i_inside_group(uint64_t handle) {
  if (am_i_inside(handle)) return true;
  const Door door(Handles::handle_of(handle));
  if (!door || door.replicas() == nullptr) return false;
  const std::span<const uint64_t> replicas = door.replicas()->replica_handles();
  return std::any_of(replicas.begin(), replicas.end(), am_i_inside);
}

}  // namespace

Status close_pool(tide_pool* pool, std::optional<Span> timeout) {
  const uint64_t handle = Handles::number_of(pool);
  if (!Handles::is_well_formed(handle)) return no_entry(Code::bad_argument);
  if (am_i_inside_group(handle)) return refuse_inside("a pool cannot be closed");
  {
    const Door door(pool);
    if (door && Handles::entry_of(handle).is_replica) return refuse_replica();
  }
  return close_opened(handle, timeout);
}

Status check_outside(const std::vector<tide_pool*>& pools) {
  const bool is_inside = std::any_of(pools.begin(), pools.end(),
                                     [](const tide_pool* pool) { return am_i_inside_group(Handles::number_of(pool)); });
  if (is_inside || CallbackScope::is_inside_any()) return refuse_inside("a pool cannot be closed with all others");
  return Status::ok();
}

Status close_all_pools(std::optional<Span> timeout) {
  std::vector<tide_pool*> pools = Handles::instance().open_handles();
  if (Status outside = check_outside(pools); !outside) return outside;
  // Replicas are closed with their primary.
  std::erase_if(pools, [](const tide_pool* pool) { return Handles::entry_of(Handles::number_of(pool)).is_replica; });
  return close_pools(pools, timeout);
}

Status close_pools(const std::vector<tide_pool*>& pools, std::optional<Span> timeout) {
  std::mutex mutex;
  Status first;
  std::vector<std::function<void()>> works;
  // In parallel: the timeout is for all pools together.
  for (tide_pool* const pool : pools) {
    works.emplace_back([&, pool] {
      Status closed = close_pool(pool, timeout);
      if (closed || closed.code == Code::closed) return;
      const std::lock_guard lock(mutex);
      if (first) first = std::move(closed);
    });
  }
  run_together(std::move(works));
  return first;
}

}  // namespace tide
