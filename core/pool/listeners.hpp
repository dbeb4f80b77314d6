// Listeners: which parts of this process receive events: the program's callback and the log.
//
// Threads: set() the keeper only; the rest any. Called without any lock of the pool.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "pool/log_fact.hpp"
#include "pool/ports.hpp"
#include "segment/board.hpp"

namespace tide {

enum class PoolEvent : uint8_t { connect = 1, acquire, release, remove, error, alert };
constexpr uint32_t bit_of(PoolEvent event) { return 1U << static_cast<uint32_t>(event); }

// Where the application receives events.
struct EventSink {
  uint32_t mask = 0;  // bit_of()
  std::function<void(PoolEvent, uint64_t conn_id, uint64_t lease_id, const char* text)> call;
  std::function<uint64_t()> take_dropped;  // events lost since the last call; may be empty
};

using LogSink = std::function<void(const LogFact&, LogFormat)>;

class Listeners {
 public:
  Listeners(EventSink events, LogSink log, const Board& board, const Clock& clock);

  // The events that the log needs.
  void set(const Policy& policy);
  bool is_any() const { return told_.load(std::memory_order_relaxed) != 0; }
  void tell(PoolEvent event, uint64_t conn_id, uint64_t lease_id, const char* text) const {
    if ((told_.load(std::memory_order_relaxed) & bit_of(event)) != 0) tell_and_log(event, conn_id, lease_id, text);
  }
  void log(LogFact fact) const;
  uint64_t take_dropped() const { return events_.take_dropped ? events_.take_dropped() : 0; }

 private:
  [[gnu::cold]] void tell_and_log(PoolEvent event, uint64_t conn_id, uint64_t lease_id, const char* text) const;
  bool logs(LogLevel level) const { return log_level_.load(std::memory_order_relaxed) >= level && log_; }

  const EventSink events_;
  const LogSink log_;  // may be empty
  const Board& board_;
  const Clock& clock_;
  std::atomic<uint32_t> told_{0};  // the events that the program or the log wants: bit_of()
  std::atomic<LogLevel> log_level_{LogLevel::off};
  std::atomic<LogFormat> log_format_{LogFormat::key_value};
};

}  // namespace tide
