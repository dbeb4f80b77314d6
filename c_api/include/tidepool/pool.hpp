/* Pools and leases of the C++ interface. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/cache.h>
#include <tidepool/loop.h>
#include <tidepool/pool.h>
#include <tidepool/async.hpp>
#include <tidepool/calls.hpp>
#include <tidepool/error.hpp>
#include <tidepool/listen.hpp>
#include <tidepool/options.hpp>
#include <tidepool/transaction.hpp>

#include <chrono>
#include <coroutine>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace tidepool {

/**
 * The exclusive right to one connection, from pool::acquire(). Statements are those of calls. The destructor gives it back.
 */
class lease : public calls<detail::lease_target> {
 public:
  /** Takes the ownership of a lease of the C API. */
  explicit lease(tide_lease own) noexcept : calls(detail::lease_target{own}) {}
  lease(lease&& other) noexcept : calls(other) { other.target_ = {}; }
  lease& operator=(lease&& other) noexcept {
    std::swap(target_, other.target_);
    return *this;
  }
  ~lease() {
    if (target_.handle.pool != nullptr) tide_lease_release(target_.handle, nullptr);  // no effect on one that has ended
  }

  /** Give it back before the end of the object. */
  void release() { detail::call(tide_lease_release, target_.handle); }
  /** Give it back and assert that the state of its session is unchanged: see tide_lease_release_unchanged(). */
  void release_unchanged() { detail::call(tide_lease_release_unchanged, target_.handle); }
  /** Give it back and close its connection. */
  void discard() { detail::call(tide_lease_discard, target_.handle); }
  /** Cancel the statement that another thread is executing on it, if any. */
  void cancel() { detail::call(tide_lease_cancel, target_.handle); }
  /** True if it should be given back soon: see tide_lease_is_wanted(). */
  bool is_wanted() const noexcept { return tide_lease_is_wanted(target_.handle) != 0; }
  tide_lease_stats stats() const {
    tide_lease_stats made = TIDE_LEASE_STATS_INIT;
    detail::call(tide_lease_get_stats, target_.handle, &made);
    return made;
  }
  /** The handle of the database's own library, such as `lease.session<PGconn>()`; nullptr if the lease is stale. */
  template <typename Session>
  Session* session() const noexcept {
    return static_cast<Session*>(tide_lease_native(target_.handle));
  }

  /** Begin a transaction on the lease, which must be kept until its end. */
  transaction begin(const transaction_options& options = {}) {
    const tide_tx_options with = detail::native_of(options);
    tide_tx made{};
    detail::call(tide_tx_begin_on, target_.handle, &with, &made);
    return transaction(made);
  }
  /** As pool::transact(), on the lease. A lost connection is not retried. */
  template <typename Function>
  auto transact(Function&& function, const transaction_options& options = {}) {
    return detail::transact(tide_lease_transaction, target_.handle, function, options);
  }
  template <typename Function>
  auto try_transact(Function&& function, const transaction_options& options = {}) {
    return attempt([&] { return transact(function, options); });
  }

  /** For functions of the C API. */
  tide_lease native() const noexcept { return target_.handle; }
};

namespace detail {

inline void report_event(void* context, const tide_event* event) noexcept {
  static_cast<const pool_options*>(context)->on_event(*event);
}
inline int fetch_password(void* context, char* password, size_t password_bytes) noexcept {
  try {
    const std::string current = static_cast<const pool_options*>(context)->on_credential();
    if (current.size() >= password_bytes) return 1;
    std::memcpy(password, current.c_str(), current.size() + 1);
    return 0;
  } catch (...) {
    return 1;
  }
}

/* What is needed besides name, URL and options. The callbacks refer to `from`. */
inline tide_pool_options native_of(pool_options& from) noexcept {
  constexpr uint32_t events_known = ((uint32_t{1} << TIDE_EVENT_ALERT) * 2 - 1) & ~uint32_t{1};
  tide_pool_options made = TIDE_POOL_OPTIONS_INIT;
  made.foreign_loop = from.foreign_loop ? 1 : 0;
  made.app = from.app.empty() ? nullptr : from.app.c_str();
  if (from.on_event) {
    made.event_mask = from.event_mask & events_known;
    made.on_event = &report_event;
    made.event_context = &from;
  }
  if (from.on_credential) {
    made.on_credential = &fetch_password;
    made.credential_context = &from;
  }
  return made;
}

}  // namespace detail

/**
 * An open pool that somebody else closes: a tidepool::pool, a registry, or a program that uses the C API. Statements are those
 * of calls; each uses a connection of its own. A copy refers to the same pool. Used by any number of threads at once; after the
 * pool was closed its functions throw an error with the status TIDE_CLOSED.
 */
class pool_view : public calls<detail::pool_target> {
 public:
  explicit pool_view(tide_pool* open) noexcept : calls(detail::pool_target{open}) {}

  /** Lease one connection. */
  lease acquire(const acquire_options& options = {}) {
    const tide_acquire_options with = detail::native_of(options);
    tide_lease made{};
    detail::call(tide_pool_acquire_with, target_.handle, &with, &made);
    return lease(made);
  }
  expected<lease> try_acquire(const acquire_options& options = {}) {
    return attempt([&] { return acquire(options); });
  }
  /** acquire() for coroutines, see async.hpp. */
  auto acquire_async(const acquire_options& options = {}) {
    const auto read = [](detail::async_outcome done) { return lease(done.lease); };
    return operation<std::remove_const_t<decltype(read)>>(
        std::make_shared<detail::async_acquire>(target_.handle, detail::native_of(options)), read);
  }

  /** Begin a transaction. */
  transaction begin(const transaction_options& options = {}) {
    const tide_tx_options with = detail::native_of(options);
    tide_tx made{};
    detail::call(tide_tx_begin, target_.handle, &with, &made);
    return transaction(made);
  }
  expected<transaction> try_begin(const transaction_options& options = {}) {
    return attempt([&] { return begin(options); });
  }
  /**
   * Run a function in a transaction, commit, and return what it returned: `pool.transact([&](transaction& tx) { ... })`.
   * If it throws, the transaction is rolled back, and the exception is thrown here. After serialization failures, deadlocks and
   * connections lost early it is called again: what it does outside of the transaction should not matter.
   */
  template <typename Function>
  auto transact(Function&& function, const transaction_options& options = {}) {
    return detail::transact(tide_pool_transaction, target_.handle, function, options);
  }
  template <typename Function>
  auto try_transact(Function&& function, const transaction_options& options = {}) {
    return attempt([&] { return transact(function, options); });
  }

  /** Call a function for each notification of a channel, and for gaps: see <tidepool/listen.h>. PostgreSQL only. */
  [[nodiscard]] subscription listen(const std::string& channel, subscription::function told) {
    return subscription(target_.handle, channel, std::move(told));
  }
  /** Remove all results from the query cache, the one with a key, or those with a tag. Returns how many. */
  int64_t invalidate_all() { return invalidate(nullptr, nullptr); }
  int64_t invalidate_key(const std::string& key) { return invalidate(key.c_str(), nullptr); }
  int64_t invalidate_tag(const std::string& tag) { return invalidate(nullptr, tag.c_str()); }

  /** See tide_pool_health(). */
  tide_health health() const {
    tide_health made = TIDE_HEALTH_INIT;
    detail::call(tide_pool_health, target_.handle, &made);
    return made;
  }
  /** The pool's instance_id in the relations. */
  std::string instance_id() const {
    char text[33] = "";
    detail::call(tide_pool_instance_id, target_.handle, &text[0]);
    return text;
  }
  /** With foreign_loop: the descriptor to be watched, see tide_pool_fd(). */
  int fd() const {
    int made = -1;
    detail::call(tide_pool_fd, target_.handle, &made);
    return made;
  }
  /** With foreign_loop: do the work that is due. Returns when to call it again at the latest, see tide_pool_step(). */
  std::chrono::milliseconds step() {
    int64_t next_ms = 0;
    detail::call(tide_pool_step, target_.handle, &next_ms);
    return std::chrono::milliseconds(next_ms);
  }

  /** For functions of the C API. */
  tide_pool* native() const noexcept { return target_.handle; }

 private:
  int64_t invalidate(const char* key, const char* tag) {
    int64_t removed = 0;
    detail::call(tide_cache_invalidate, target_.handle, key, tag, &removed);
    return removed;
  }
};

/**
 * An open pool that belongs to this object. The destructor closes it as close() does. Used by any number of threads at once,
 * except for moving and closing.
 */
class pool : public pool_view {
 public:
  /** See tide_pool_open(). */
  explicit pool(const std::string& name, const std::string& url = {}, const std::string& options = {})
      : pool(pool_options{.name = name, .url = url, .options = options}) {}
  explicit pool(pool_options options) : pool_view(nullptr), kept_(std::make_unique<pool_options>(std::move(options))) {
    const tide_pool_options with = detail::native_of(*kept_);
    detail::call(tide_pool_open_with, kept_->name.c_str(), kept_->url.c_str(), kept_->options.c_str(), &with,
                 &target_.handle);
  }
  pool(pool&& other) noexcept : pool_view(other), kept_(std::move(other.kept_)) { other.target_ = {}; }
  pool& operator=(pool&& other) noexcept {
    std::swap(target_, other.target_);
    std::swap(kept_, other.kept_);
    return *this;
  }
  ~pool() { close_with(-1, nullptr); }

  /** An expected<pool> instead of an exception. */
  static expected<pool> try_open(pool_options options) {
    return attempt([&] { return pool(std::move(options)); });
  }

  /** Drain it and close it: see tide_pool_close(). Throws a timeout_error if leases had to be revoked. */
  void close(std::optional<std::chrono::milliseconds> timeout = std::nullopt) {
    tide_error why = TIDE_ERROR_INIT;
    if (close_with(detail::ms_of(timeout), &why) != TIDE_OK) error(why).raise();
  }

 private:
  tide_status close_with(int64_t timeout_ms, tide_error* why) noexcept {
    if (target_.handle == nullptr) return TIDE_OK;
    const tide_status status = tide_pool_close(target_.handle, timeout_ms, why);
    if (status == TIDE_BAD_ARGUMENT) return status;  // called by one of its own callbacks: still open
    target_.handle = nullptr;
    // After a timeout callbacks may still be running.
    if (status == TIDE_TIMEOUT && kept_ != nullptr && (kept_->on_event || kept_->on_credential)) {
      static_cast<void>(kept_.release());
    }
    return status;
  }

  std::unique_ptr<pool_options> kept_;  // at an address that the callbacks know
};

}  // namespace tidepool
