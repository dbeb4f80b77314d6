#include "pool/pool.hpp"

#include <algorithm>

#include "base/owned_id.hpp"
#include "plane/directory.hpp"
#include "pool/keeper.hpp"

namespace tide {
namespace {

// Room for growth: limits may be raised while the pool is open, the segment's size may not.
uint32_t capacity_for(const Policy& policy) {
  const int64_t wanted = std::max({int64_t{64}, 4 * policy.max_size, 2 * policy.burst_limit()});
  return static_cast<uint32_t>(std::min<int64_t>(wanted, kSlotsMax));
}

// Alerts are logged as the notes they are.
constexpr LogLevel level_of(PoolEvent event) {
  return event == PoolEvent::acquire || event == PoolEvent::release ? LogLevel::debug : LogLevel::events;
}

}  // namespace

const char* pool_event_name(PoolEvent event) {
  switch (event) {
    case PoolEvent::connect: return "connect";
    case PoolEvent::acquire: return "acquire";
    case PoolEvent::release: return "release";
    case PoolEvent::remove: return "remove";
    case PoolEvent::error: return "error";
    case PoolEvent::alert: return "alert";
  }
  return "unknown";
}

Result<std::unique_ptr<Pool>> Pool::open(PoolSpec spec, std::unique_ptr<Connector> connector, const Clock& clock) {
  SegmentSpec segment_spec;
  segment_spec.instance_id = random_instance_id();
  segment_spec.pool = spec.name;
  segment_spec.app = spec.app;
  segment_spec.host = spec.host;
  segment_spec.target = spec.target.shown;
  segment_spec.db_user = spec.target.user;
  segment_spec.version = spec.version;
  segment_spec.backend = static_cast<uint32_t>(spec.target.backend);
  segment_spec.is_hosted = spec.is_hosted;
  segment_spec.capacity = capacity_for(spec.policy);
  segment_spec.started_wall_ns = clock.wall_ns();
  if (spec.policy.plane) segment_spec.directory = spec.directory;
  if (!segment_spec.directory.empty()) {
    if (Status ready = ensure_directory(segment_spec.directory); !ready) return ready;
    remove_dead_segments(segment_spec.directory, spec.name, clock.wall_ns());
  }
  auto segment = Segment::create(segment_spec);
  if (!segment) return segment.take_status();
  std::unique_ptr<Pool> pool(new Pool(std::move(spec), segment.take(), std::move(connector), clock));
  pool->instance_id_ = segment_spec.instance_id;
  pool->keeper_ = std::make_unique<Keeper>(*pool, pool->spec_.policy, pool->spec_.seed);
  return pool;
}

Pool::Pool(PoolSpec spec, std::unique_ptr<Segment> segment, std::unique_ptr<Connector> connector, const Clock& clock)
    : spec_(std::move(spec)),
      segment_(std::move(segment)),
      board_(*segment_),
      in_use_peak_(board_, segment_->totals().in_use_peak),
      turnstile_(board_, in_use_peak_, *segment_),
      clock_(clock),
      seats_(board_.capacity()),
      connector_(std::move(connector)) {
  set_fast_policy(spec_.policy);
}

Pool::~Pool() = default;

void Pool::set_fast_policy(const Policy& policy) {
  acquire_timeout_ns_.store(policy.acquire_timeout.ns(), std::memory_order_relaxed);
  query_timeout_ns_.store(policy.query_timeout.ns(), std::memory_order_relaxed);
  probe_after_ns_.store(policy.validation_bypass.ns(), std::memory_order_relaxed);
  max_waiting_.store(policy.max_waiting, std::memory_order_relaxed);
  max_uses_.store(static_cast<uint64_t>(policy.max_uses), std::memory_order_relaxed);
  log_level_.store(policy.log, std::memory_order_relaxed);
  log_format_.store(policy.log_format, std::memory_order_relaxed);
  uint32_t told = spec_.events.mask;
  for (PoolEvent event :
       {PoolEvent::connect, PoolEvent::acquire, PoolEvent::release, PoolEvent::remove, PoolEvent::error}) {
    if (logs(level_of(event))) told |= bit_of(event);
  }
  told_.store(told, std::memory_order_relaxed);
  fast_key_.store(told == 0 ? spec_.pool_key : ~uint64_t{0}, std::memory_order_relaxed);
  asks_at_return_.store(policy.max_uses != 0 || told != 0 || in_use_peak_.is_counting() || Presence::needs_fence(),
                        std::memory_order_relaxed);
  reset_mode_.store(policy.reset_on_release, std::memory_order_relaxed);
  turnstile_.set_window(policy.fairness_window);
  turnstile_.set_objective(policy.wait_objective);
}

void Pool::tell_and_log(PoolEvent event, uint64_t conn_id, uint64_t lease_id, const char* text) const {
  if (spec_.events.wants(event)) spec_.events.call(event, conn_id, lease_id, text);
  if (event == PoolEvent::alert || !logs(level_of(event))) return;
  LogFact fact;
  fact.level = level_of(event);
  fact.severity = event == PoolEvent::error ? Severity::warning : Severity::info;
  fact.event = pool_event_name(event);
  fact.message = text;
  fact.conn_id = conn_id;
  fact.lease_id = lease_id;
  // The tag stands in the slot for as long as the lease lasts, and a moment longer; who logs an acquire holds it.
  FixedText<64> tag;
  if (event == PoolEvent::acquire) tag = board_.slot(LeaseId(lease_id).slot()).tag;
  fact.tag = tag.view();
  log(fact);
}

void Pool::log(LogFact fact) const {
  if (!logs(fact.level)) return;
  fact.at_wall_ns = clock_.clock().wall_ns();
  spec_.log(fact, log_format_.load(std::memory_order_relaxed));
}

uint64_t Pool::id_of(uint64_t number) const { return owned_id(owner_bits(instance_id_.data()), number); }

void Pool::abandon_after_fork(bool is_whole) noexcept {
  keeper_->abandon_after_fork(is_whole);
  if (is_whole) connector_->abandon();
  segment_->abandon();
}

}  // namespace tide
