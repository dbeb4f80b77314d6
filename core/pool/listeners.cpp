#include "pool/listeners.hpp"

namespace tide {
namespace {

// Alerts are logged as the notes they consist of.
constexpr LogLevel level_of(PoolEvent event) {
  return event == PoolEvent::acquire || event == PoolEvent::release ? LogLevel::debug : LogLevel::events;
}

constexpr std::string_view kEventNames[] = {"", "connect", "acquire", "release", "remove", "error", "alert"};

}  // namespace

Listeners::Listeners(EventSink events, LogSink log, const Board& board, const Clock& clock)
    : events_(std::move(events)), log_(std::move(log)), board_(board), clock_(clock) {}

void Listeners::set(const Policy& policy) {
  log_level_.store(policy.log, std::memory_order_relaxed);
  log_format_.store(policy.log_format, std::memory_order_relaxed);
  uint32_t told = events_.mask;
  for (PoolEvent event :
       {PoolEvent::connect, PoolEvent::acquire, PoolEvent::release, PoolEvent::remove, PoolEvent::error}) {
    if (logs(level_of(event))) told |= bit_of(event);
  }
  told_.store(told, std::memory_order_relaxed);
}

void Listeners::tell_and_log(PoolEvent event, uint64_t conn_id, uint64_t lease_id, const char* text) const {
  if ((events_.mask & bit_of(event)) != 0) events_.call(event, conn_id, lease_id, text);
  if (event == PoolEvent::alert || !logs(level_of(event))) return;
  LogFact fact;
  fact.level = level_of(event);
  fact.severity = event == PoolEvent::error ? Severity::warning : Severity::info;
  fact.event = kEventNames[static_cast<size_t>(event)];
  fact.message = text;
  fact.conn_id = conn_id;
  fact.lease_id = lease_id;
  // The tag stays in the slot while the lease lasts, and a little longer; the thread that logs an acquire holds the
  // lease.
  FixedText<64> tag;
  if (event == PoolEvent::acquire) tag = board_.slot(LeaseId(lease_id).slot()).tag;
  fact.tag = tag.view();
  log(fact);
}

void Listeners::log(LogFact fact) const {
  if (!logs(fact.level)) return;
  fact.at_wall_ns = clock_.wall_ns();
  log_(fact, log_format_.load(std::memory_order_relaxed));
}

}  // namespace tide
