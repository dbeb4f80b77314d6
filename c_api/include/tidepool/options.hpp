/* Options of the C++ interface. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/pool.h>
#include <tidepool/query.h>
#include <tidepool/transaction.h>
#include <tidepool/cancel.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace tidepool {

/** What a lease is used for. */
enum class access {
  read_write = TIDE_READ_WRITE,
  read = TIDE_READ, /* SQLite: does not wait for the write lock; with replicas: on one of them */
};

/** Which requests come first when connections are short. */
enum class priority {
  normal = TIDE_NORMAL,
  critical = TIDE_CRITICAL, /* may take the connections of reserve_size, and is served before others that wait */
};

/** How parameters are written: see tide_query_options. Parameters made with arg() are always named. */
enum class placeholders {
  numbered = TIDE_PLACEHOLDERS_NUMBERED, /* $1, ?1 or ? */
  native = TIDE_PLACEHOLDERS_NATIVE,     /* the text is passed on unchanged */
};

/** How a query uses the query cache of its pool: see <tidepool/cache.h>. The texts must stay valid while the options are used. */
struct caching {
  std::optional<std::chrono::milliseconds> ttl = std::nullopt; /* none: query_cache_ttl */
  std::chrono::milliseconds stale{0}; /* after that, how long it may be returned while one caller renews it */
  const char* key = nullptr;          /* none: made of the statement and its parameters */
  const char* tags = nullptr;         /* for invalidation, separated by spaces */
  bool accept_volatile = false;       /* also a statement whose result may change without a change of data */
};

/** Options of a call: `pool.with({.timeout = 2s, .tag = "report"}).query<int64_t>("select 1")`. See tide_query_options. */
struct call_options {
  std::optional<std::chrono::milliseconds> timeout = std::nullopt; /* none: acquire_timeout and query_timeout */
  const char* tag = nullptr;                                       /* must stay valid while the options are used */
  tidepool::access access = tidepool::access::read_write;          /* only for calls on a pool */
  std::optional<int> retry_attempts = std::nullopt;                /* none: the option of the pool */
  tidepool::placeholders placeholders = tidepool::placeholders::numbered;
  int64_t max_rows = 0;                                     /* 0: no limit */
  int64_t max_bytes = 0;                                    /* 0: 1 GiB */
  tidepool::priority priority = tidepool::priority::normal; /* only for calls on a pool */
  cancel_token cancel = {};                                 /* a cancel_source; none: not cancelled */
  std::optional<caching> cache = std::nullopt; /* only for query() and query_first() of a pool; none: not cached */
};

/** Options of pool::acquire(). See tide_acquire_options. */
struct acquire_options {
  std::optional<std::chrono::milliseconds> timeout = std::nullopt; /* none: acquire_timeout; 0 does not wait */
  const char* tag = nullptr;
  tidepool::access access = tidepool::access::read_write;
  tidepool::priority priority = tidepool::priority::normal;
  cancel_token cancel = {};
};

enum class isolation {
  standard = TIDE_ISOLATION_DEFAULT, /* that of the session */
  read_committed = TIDE_READ_COMMITTED,
  repeatable_read = TIDE_REPEATABLE_READ,
  serializable = TIDE_SERIALIZABLE,
};

/** Options of a transaction. See tide_tx_options. */
struct transaction_options {
  tidepool::isolation isolation = tidepool::isolation::standard;
  bool read_only = false;
  bool deferrable = false;
  std::optional<std::chrono::milliseconds> timeout =
      std::nullopt; /* of the whole with its repetitions; none: unlimited */
  const char* tag = nullptr;
  std::optional<int> retry_attempts = std::nullopt; /* only of transact(); none: the option of the pool */
  tidepool::priority priority = tidepool::priority::normal;
  cancel_token cancel = {}; /* of all calls in it, too */
};

/** What a pool is opened with. See tide_pool_open_with(). The functions must not throw, and may be called by several threads. */
struct pool_options {
  std::string name = {};
  std::string url = {};               /* empty: of the environment, such as DATABASE_URL */
  std::string options = {};           /* "max_size=20 acquire_timeout=5s", or a JSON object */
  std::string app = {};               /* empty: the program's name */
  bool foreign_loop = false;          /* no thread: the program calls pool::step() */
  uint32_t event_mask = ~uint32_t{0}; /* of on_event: bits (1 << TIDE_EVENT_...) */
  std::function<void(const tide_event&)> on_event = {};
  std::function<std::string()> on_credential =
      {}; /* the current password; if it throws, the attempt to connect fails */
};

namespace detail {

inline int64_t ms_of(const std::optional<std::chrono::milliseconds>& timeout) noexcept {
  if (!timeout.has_value()) return -1;
  return timeout->count() > 0 ? timeout->count() : 0;
}

inline tide_query_options native_of(const call_options& from) noexcept {
  tide_query_options made = TIDE_QUERY_OPTIONS_INIT;
  made.mode = static_cast<int32_t>(from.access);
  made.timeout_ms = ms_of(from.timeout);
  made.tag = from.tag;
  made.retry_attempts = from.retry_attempts.value_or(-1);
  made.placeholders = static_cast<int32_t>(from.placeholders);
  made.max_rows = from.max_rows;
  made.max_bytes = from.max_bytes;
  made.priority = static_cast<int32_t>(from.priority);
  made.cancel = from.cancel.native();
  if (from.cache.has_value()) {
    made.cache = TIDE_CACHE | (from.cache->accept_volatile ? TIDE_CACHE_VOLATILE : 0);
    made.cache_ttl_ms = from.cache->ttl.has_value() ? from.cache->ttl->count() : 0;
    made.cache_stale_ms = from.cache->stale.count();
    made.cache_key = from.cache->key;
    made.cache_tags = from.cache->tags;
  }
  return made;
}

inline tide_acquire_options native_of(const acquire_options& from) noexcept {
  tide_acquire_options made = TIDE_ACQUIRE_OPTIONS_INIT;
  made.mode = static_cast<int32_t>(from.access);
  made.timeout_ms = ms_of(from.timeout);
  made.tag = from.tag;
  made.priority = static_cast<int32_t>(from.priority);
  made.cancel = from.cancel.native();
  return made;
}

inline tide_tx_options native_of(const transaction_options& from) noexcept {
  tide_tx_options made = TIDE_TX_OPTIONS_INIT;
  made.isolation = static_cast<int32_t>(from.isolation);
  made.read_only = from.read_only ? 1 : 0;
  made.deferrable = from.deferrable ? 1 : 0;
  made.timeout_ms = ms_of(from.timeout);
  made.tag = from.tag;
  made.retry_attempts = from.retry_attempts.value_or(-1);
  made.priority = static_cast<int32_t>(from.priority);
  made.cancel = from.cancel.native();
  return made;
}

}  // namespace detail
}  // namespace tidepool
