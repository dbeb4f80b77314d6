#include "opening.hpp"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "base/text.hpp"
#include "callbacks.hpp"
#include "driver/sqlite/connector.hpp"
#include "drivers.hpp"
#include "handles.hpp"
#include "home.hpp"
#include "notify/log_line.hpp"
#include "notify/log_writer.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"
#include "policy/parse.hpp"
#include "pool/keeper.hpp"
#include "segment/directory.hpp"
#include "service/service.hpp"
#include "surroundings.hpp"

namespace tide {
namespace {

constexpr Span kWithdrawTimeout = Span::seconds(5);
constexpr Span kKeeperTimeout = Span::seconds(7);    // after the deadline; the keeper gives up before that
constexpr Span kFirstTimeout = Span::millis(100);    // for connections that open immediately
constexpr Span kCallbackTimeout = Span::seconds(1);  // after the deadline and the keeper's end

std::string host_name() {
  char host[65] = {};
  return gethostname(host, sizeof host - 1) == 0 ? host : "";
}

// As far as it can be measured: that of the cgroup, else that of the machine.
int64_t memory_limit() {
  const double limit = SystemProbe().sample(0).memory_limit_bytes;
  return limit > 0 && limit < 1e18 ? static_cast<int64_t>(limit) : 0;
}

uint64_t fresh_seed() {
  uint64_t seed = 0;
  return getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed) ? seed : 1;
}

// Between two attempts a call waits no longer than the pool is open.
ServiceNeeds service_needs(uint64_t handle) {
  static constexpr Span kLook = Span::millis(10);
  ServiceNeeds needs;
  needs.seed = fresh_seed();
  needs.pause = [&entry = Handles::entry_of(handle)](Span span) {
    const Instant end = SystemClock::instance().now() + span;
    while (!entry.is_closing.load(std::memory_order_acquire)) {
      const Span left = end - SystemClock::instance().now();
      if (left <= Span{}) return;
      pause_for(std::min(left, kLook));
    }
  };
  return needs;
}

// The sink owns the callbacks while the pool exists, even if no events are wanted.
EventSink sink_of(const tide_pool_options& options, const std::shared_ptr<Callbacks>& callbacks) {
  EventSink sink;
  if (options.on_event != nullptr) sink.mask = options.event_mask;
  sink.call = [callbacks](PoolEvent kind, uint64_t conn_id, uint64_t lease_id, const char* text) {
    callbacks->tell_event(kind, conn_id, lease_id, text);
  };
  sink.take_dropped = [&own = *callbacks] { return own.take_dropped(); };
  return sink;
}

// A pool that does not have a handle yet, or no longer has one, and that a child of fork() knows.
class UnlistedPool {
 public:
  UnlistedPool(uint64_t handle, std::unique_ptr<Pool> pool) : handle_(handle), pool_(std::move(pool)) {
    Handles::instance().note_unlisted(handle_, pool_.get());
  }
  ~UnlistedPool() {
    if (pool_ == nullptr) return;
    const ForkPause pause;
    Handles::instance().note_unlisted(handle_, nullptr);
    pool_.reset();
  }
  UnlistedPool(const UnlistedPool&) = delete;
  UnlistedPool& operator=(const UnlistedPool&) = delete;
  Pool& operator*() const { return *pool_; }
  Pool* operator->() const { return pool_.get(); }
  std::unique_ptr<Pool> take() { return std::move(pool_); }

 private:
  const uint64_t handle_;
  std::unique_ptr<Pool> pool_;
};

// A place for a pool, released unless it is used.
class Reservation {
 public:
  Reservation() : handle_(Handles::instance().reserve()) {}
  ~Reservation() {
    if (handle_ != 0) Handles::instance().cancel(handle_);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  uint64_t handle() const { return handle_; }
  uint64_t use() { return std::exchange(handle_, 0); }

 private:
  uint64_t handle_;
};

// Implements init_mode=fail_fast: waits until the pool is usable, or returns the reason why it is not.
Status wait_until_started(Pool& pool, const Policy& policy) {
  const Instant give_up = pool.clock().now() + policy.init_timeout;
  for (;;) {
    const Span next = pool.keeper().step();
    if (pool.keeper().is_started()) return Status::ok();
    if (const Status& failure = pool.keeper().start_failure(); !failure) return failure;
    const Span left = give_up - pool.clock().now();
    if (left <= Span{}) break;
    wait_for_keeper(pool.keeper(), std::min(next, left));
  }
  Status why = pool.explain(Code::timeout, policy.init_timeout);
  why.text().message = "pool \"" + pool.name() + "\" did not reach min_size within init_timeout; " + why.message();
  return why;
}

// Without a network, connections open within moments: callers that never wait should find them.
void wait_for_the_first(Pool& pool, Backend backend) {
  const Instant give_up = pool.clock().now() + kFirstTimeout;
  for (;;) {
    const Span next = pool.keeper().step();
    if (backend == Backend::postgresql || pool.keeper().has_begun()) return;
    const Span left = give_up - pool.clock().now();
    if (left <= Span{}) return;
    wait_for_keeper(pool.keeper(), std::min(next, left));
  }
}

void close_quietly(Pool& pool) {
  pool.keeper().begin_close(pool.clock().now());
  while (!pool.keeper().is_closed()) wait_for_keeper(pool.keeper(), step_or_pause(pool.keeper()));
}

void note_defects(const ParsedOptions& parsed, std::vector<SettingNote>& notes) {
  if (parsed.target.backend != Backend::sqlite) return;
  std::string defect = known_sqlite_defect(parsed.target.connect_text, parsed.policy);
  if (!defect.empty()) notes.push_back({"sqlite_journal_mode", std::move(defect)});
}

}  // namespace

Status check_pool_name(const char* name) {
  constexpr size_t kNameBytesMax = FixedText<64>::kBytesMax;
  const std::string_view text =
      name == nullptr ? std::string_view{} : std::string_view(name, strnlen(name, kNameBytesMax + 1));
  const bool is_good =
      !text.empty() && text.size() <= kNameBytesMax && text.front() != '.' &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == text.npos;
  if (is_good) return Status::ok();
  return Status::error(
      Code::bad_argument, name == nullptr ? "name is NULL" : "name " + in_quotes(text) + " is not a valid pool name",
      "accepted: 1 to 62 letters, digits, '_', '-' or '.', not beginning with '.'", "such as \"app\" or \"orders-ro\"");
}

Result<tide_pool*> open_pool(const char* name, const char* url, const char* words, const tide_pool_options& options,
                             const std::string& shared) {
  if (Status named = check_pool_name(name); !named) return named;
  const std::vector<std::string> schemes = registered_schemes();
  Environment environment = process_environment();
  environment.memory_limit = memory_limit;
  auto parsed = parse_options(url == nullptr ? "" : url, words == nullptr ? "" : words, schemes, environment, shared);
  if (!parsed) return parsed.take_status();
  const std::string app = options.app != nullptr ? options.app : program_invocation_short_name;
  Reservation place;
  if (place.handle() == 0) {
    return Status::error(Code::refused, "too many pools are open in this process",
                         "accepted: up to " + std::to_string(kPoolsMax), "close pools that are no longer needed");
  }
  const std::string& destination = parsed->policy.log_destination;
  if (Status writable = LogWriter(destination).check(); !writable) return writable;
  const auto callbacks = std::make_shared<Callbacks>(options, place.handle(), name, destination);

  PoolSpec spec;
  spec.name = name;
  spec.app = app;
  spec.is_hosted = options.is_hosted != 0;
  spec.host = host_name();
  spec.version = TIDE_VERSION_TEXT;
  spec.target = parsed->target;
  spec.policy = parsed->policy;
  spec.sources = parsed->sources;
  spec.notes = parsed->notes;
  note_defects(*parsed, spec.notes);
  spec.directory = resolve_directory(parsed->policy.dir);
  spec.seed = fresh_seed();
  spec.events = sink_of(options, callbacks);
  spec.probe = std::make_shared<SystemProbe>();
  spec.log = [callbacks, pool = std::string(name)](const LogFact& fact, LogFormat format) {
    callbacks->log(log_line(fact, pool, format), fact.severity);
  };
  spec.pool_key = Handles::pool_key(place.handle());

  std::optional<UnlistedPool> made;
  {
    const ForkPause pause;
    auto connector = make_connector(parsed->target, parsed->policy, SystemClock::instance(), app + "/" + name,
                                    callbacks, place.handle());
    if (!connector) return connector.take_status();
    auto opened = Pool::open(std::move(spec), connector.take(), SystemClock::instance());
    if (!opened) return opened.take_status();
    made.emplace(place.handle(), opened.take());
  }
  UnlistedPool& pool = *made;
  wait_for_the_first(*pool, parsed->target.backend);
  if (parsed->policy.init_mode == InitMode::fail_fast) {
    if (Status failure = wait_until_started(*pool, parsed->policy); !failure) {
      close_quietly(*pool);
      if (!callbacks->finish(pool->clock().now() + kCallbackTimeout)) {
        failure.text().detail += failure.detail().empty() ? "" : "; ";
        failure.text().detail += "the credential callback has not returned; its context is still in use";
      }
      return failure;
    }
  }
  ServiceNeeds needs = service_needs(place.handle());
  needs.listening.make_port = make_listening(parsed->target, app + "/" + name, callbacks);
  needs.listening.call_program = [callbacks](std::function<void()> call) {
    callbacks->tell_subscriber(std::move(call));
  };
  needs.listening.policy = parsed->policy;
  needs.listening.seed = fresh_seed();
  auto service = std::make_unique<Service>(*pool, std::move(needs));
  std::unique_ptr<ThreadKeeper> thread;
  if (options.foreign_loop == 0) {
    callbacks->relieve(pool->keeper());
    try {
      thread = std::make_unique<ThreadKeeper>(pool->keeper());
    } catch (...) {
      close_quietly(*pool);
      throw;
    }
  } else {
    callbacks->serve_loop(pool->keeper());
  }
  const uint64_t handle = place.use();
  Handles::instance().publish(handle, pool.take(), std::move(service), std::move(thread), *callbacks);
  lend_private_pools();
  return Handles::handle_of(handle);
}

namespace {

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

}  // namespace

Status close_pool(tide_pool* pool, std::optional<Span> timeout) {
  const uint64_t handle = Handles::number_of(pool);
  Handles& handles = Handles::instance();
  if (!Handles::is_well_formed(handle)) return no_entry(Code::bad_argument);
  PoolEntry& entry = handles.entry_of(handle);
  if (am_i_inside(handle)) return refuse_inside("a pool cannot be closed");
  std::string who;
  Instant now;
  {
    const Door door(pool);
    if (!door) return no_entry(door.code());
    who = "pool \"" + door->name() + "\" is closed, but ";
    now = door->clock().now();
    if (entry.is_closing.exchange(true)) return no_entry(Code::closed);
  }
  // From here on only this thread may end the pool, and nothing that it does may fail.
  Pool& own = *entry.pool;
  const std::shared_ptr<Callbacks> callbacks = entry.callbacks->shared_from_this();
  const Instant deadline = now + timeout.value_or(own.keeper().policy().shutdown_timeout);
  const bool is_keeper_out = close_keeper(entry, deadline, deadline + kKeeperTimeout);
  const bool had_to_revoke = is_keeper_out && own.keeper().had_to_revoke();
  const Status left_behind = is_keeper_out ? own.keeper().left_behind() : Status::ok();
  const Instant callbacks_end = latest(deadline, own.clock().now()) + kCallbackTimeout;
  const bool are_calls_over = entry.service->finish(callbacks_end);
  if (entry.thread == nullptr) callbacks->tell_last();
  const bool is_all_told = callbacks->finish(callbacks_end) && are_calls_over;
  std::unique_ptr<ThreadKeeper> thread(entry.thread);
  std::unique_ptr<Service> service(entry.service);
  // A callback of an asynchronous call that has not returned does not use the pool any more.
  const bool is_everyone_out = handles.withdraw(entry, is_keeper_out ? kWithdrawTimeout : Span{}) && is_keeper_out;
  if (!is_everyone_out) {  // a function of the program has not returned: leak memory for safety
    keep_forever(&own, service.release(), thread.release());
  } else {
    handles.forget_service(entry);
    service.reset();
    const UnlistedPool last_owner(handle, std::unique_ptr<Pool>(&own));
  }
  handles.retire(entry);
  if (!is_everyone_out || !is_all_told) {
    return Status::error(Code::timeout, who + "a function of the program that it called has not returned",
                         is_everyone_out ? "pending outcomes of asynchronous calls are reported when it returns"
                                         : "its memory is not released",
                         "return from callbacks and from a driver's functions; their contexts are still in use");
  }
  if (!left_behind) {
    return Status::error(Code::timeout, who + left_behind.message(), left_behind.detail(), left_behind.hint());
  }
  if (!had_to_revoke) return Status::ok();
  return Status::error(Code::timeout, who + "leases had to be revoked",
                       "not all leases were released within the timeout",
                       "release leases before closing, or increase the timeout");
}

Status check_outside(const std::vector<tide_pool*>& pools) {
  const bool is_inside = std::any_of(pools.begin(), pools.end(),
                                     [](const tide_pool* pool) { return am_i_inside(Handles::number_of(pool)); });
  if (is_inside || CallbackScope::is_inside_any()) return refuse_inside("a pool cannot be closed with all others");
  return Status::ok();
}

Status close_all_pools(std::optional<Span> timeout) {
  const std::vector<tide_pool*> pools = Handles::instance().open_handles();
  if (Status outside = check_outside(pools); !outside) return outside;
  return close_pools(pools, timeout);
}

Status close_pools(const std::vector<tide_pool*>& pools, std::optional<Span> timeout) {
  std::vector<std::thread> threads;
  threads.reserve(pools.size());  // nothing may fail while they run
  std::mutex mutex;
  Status first;
  // In parallel: the timeout is for all pools together.
  for (tide_pool* pool : pools) {
    const auto close_one = [&, pool] {
      Status closed = close_pool(pool, timeout);
      if (closed || closed.code == Code::closed) return;
      const std::lock_guard lock(mutex);
      if (first) first = std::move(closed);
    };
    try {
      threads.emplace_back(close_one);
    } catch (const std::system_error&) {
      close_one();  // no thread available: close them one after the other
    }
  }
  for (std::thread& thread : threads) thread.join();
  return first;
}

}  // namespace tide
