/* Options of the C++ interface. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/pool.h>
#include <tidepool/query.h>
#include <tidepool/transaction.h>

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

/** How parameters are written: see tide_query_options. Parameters made with arg() are always named. */
enum class placeholders {
  numbered = TIDE_PLACEHOLDERS_NUMBERED, /* $1, ?1 or ? */
  native = TIDE_PLACEHOLDERS_NATIVE,     /* the text is passed on unchanged */
};

/** Options of a call: `pool.with({.timeout = 2s, .tag = "report"}).query<int64_t>("select 1")`. See tide_query_options. */
struct call_options {
  std::optional<std::chrono::milliseconds> timeout = std::nullopt; /* none: acquire_timeout and query_timeout */
  const char* tag = nullptr;                                       /* must stay valid while the options are used */
  tidepool::access access = tidepool::access::read_write;          /* only for calls on a pool */
  std::optional<int> retry_attempts = std::nullopt;                /* none: the option of the pool */
  tidepool::placeholders placeholders = tidepool::placeholders::numbered;
  int64_t max_rows = 0;  /* 0: no limit */
  int64_t max_bytes = 0; /* 0: 1 GiB */
};

/** Options of pool::acquire(). See tide_acquire_options. */
struct acquire_options {
  std::optional<std::chrono::milliseconds> timeout = std::nullopt; /* none: acquire_timeout; 0 does not wait */
  const char* tag = nullptr;
  tidepool::access access = tidepool::access::read_write;
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
  return made;
}

inline tide_acquire_options native_of(const acquire_options& from) noexcept {
  tide_acquire_options made = TIDE_ACQUIRE_OPTIONS_INIT;
  made.mode = static_cast<int32_t>(from.access);
  made.timeout_ms = ms_of(from.timeout);
  made.tag = from.tag;
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
  return made;
}

}  // namespace detail
}  // namespace tidepool
