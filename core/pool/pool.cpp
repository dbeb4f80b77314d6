#include "pool/pool.hpp"

#include <algorithm>

#include "pool/history_saver.hpp"
#include "pool/keeper.hpp"
#include "segment/directory.hpp"
#include "segment/history_file.hpp"
#include "segment/history_leftovers.hpp"

namespace tide {
namespace {

// Capacity for growth: limits may be raised while the pool is open, but the segment cannot grow.
uint32_t capacity_for(const Policy& policy) {
  if (!policy.is_pooling()) return kUnpooledMax;
  const int64_t wanted = std::max({int64_t{64}, 4 * policy.max_size, 2 * policy.burst_limit()});
  return static_cast<uint32_t>(std::min<int64_t>(wanted, kSlotsMax));
}

// What earlier owners have left is removed first only if the space is needed.
Result<std::unique_ptr<Segment>> create_segment(const SegmentSpec& spec, HistoryLeftovers& leftovers) {
  auto segment = Segment::create(spec);
  if (segment || segment.status().code != Code::no_memory || leftovers.taken() == 0) return segment;
  leftovers.remove();
  segment = Segment::create(spec);
  if (!segment) {
    (void)leave_history(segment_path(spec.directory, spec.pool, instance_hex(spec.instance_id)), leftovers.history(),
                        {spec.instance_id, spec.pool}, spec.started_wall_ns);
  }
  return segment;
}

}  // namespace

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
  segment_spec.query_log_size = static_cast<uint32_t>(spec.policy.query_log_size);
  segment_spec.started_wall_ns = clock.wall_ns();
  if (spec.policy.publish) segment_spec.directory = spec.directory;
  HistoryLeftovers leftovers;
  if (!segment_spec.directory.empty()) {
    if (Status ready = ensure_directory(segment_spec.directory); !ready) return ready;
    leftovers = HistoryLeftovers(segment_spec.directory, spec.name, clock.wall_ns());
    remove_dead_segments(segment_spec.directory, spec.name, clock.wall_ns());
  }
  auto segment = create_segment(segment_spec, leftovers);
  if (!segment) return segment.take_status();
  std::unique_ptr<Pool> pool(new Pool(std::move(spec), segment.take(), std::move(connector), clock));
  pool->instance_id_ = segment_spec.instance_id;
  pool->take_over(leftovers);
  leftovers.remove();
  return pool;
}

Pool::Pool(PoolSpec spec, std::unique_ptr<Segment> segment, std::unique_ptr<Connector> connector, const Clock& clock)
    : spec_(std::move(spec)),
      segment_(std::move(segment)),
      board_(*segment_),
      in_use_peak_(board_, segment_->totals().in_use_peak),
      wait_queue_(board_, in_use_peak_, *segment_),
      clock_(clock),
      seats_(board_.capacity()),
      fast_policy_(spec_.pool_key, in_use_peak_.is_counting() || Presence::needs_fence()),
      listeners_(std::move(spec_.events), std::move(spec_.log), board_, clock),
      query_log_(*segment_, board_, spec_.target.backend, spec_.policy.query_log_size, clock),
      connector_(std::move(connector)),
      keeper_(std::make_unique<Keeper>(spec_, *segment_, board_, seats_, in_use_peak_, wait_queue_, *connector_,
                                       fast_policy_, errors_, listeners_, query_log_, tripped_calls_, clock_)) {
  format::TargetVitals& routing = segment_->routing();
  const SeqWrite guard(routing.seq);
  put(routing.role, static_cast<uint64_t>(spec_.role));
  put(routing.lag_ns, ~uint64_t{0});
  routing.group.assign(spec_.group.empty() ? spec_.name : spec_.group);
}

Pool::~Pool() = default;

// The history of earlier owners, from the segment directory and from history_file.
void Pool::take_over(HistoryLeftovers& leftovers) {
  const int64_t wall_ns = clock().wall_ns();
  History history = std::move(leftovers.history());
  for (const std::string& refusal : leftovers.refusals()) {
    keeper_->note_later(EventKind::history, Severity::warning, refusal);
  }
  if (const std::string& path = spec_.policy.history_file; !path.empty()) {
    history_file_ = std::make_shared<HistoryFile>(path, HistoryOwner{instance_id_, spec_.name});
    Result<History> found = history_file_->open(wall_ns);
    if (found) {
      history.merge(found.take());
    } else {
      keeper_->note_later(EventKind::history, Severity::warning, found.status().message());
    }
  }
  if (history.empty()) return;
  keeper_->take_over(history);
  keeper_->note_later(EventKind::history, Severity::info,
                      std::to_string(history.size()) + " records of the history of earlier instances were taken over");
}

void Pool::start_saving() {
  if (history_file_ == nullptr) return;
  history_saver_ = std::make_unique<HistorySaver>(history_file_, segment_->fd(), clock(),
                                                  [keeper = keeper_.get()](Severity severity, std::string text) {
                                                    keeper->note_later(EventKind::history, severity, std::move(text));
                                                  });
}

bool Pool::finish_saving(Span limit) { return history_saver_ == nullptr || history_saver_->finish(limit); }

void Pool::abandon_after_fork(bool is_whole) noexcept {
  keeper_->abandon_after_fork(is_whole);
  if (is_whole) connector_->abandon();
  if (history_file_ != nullptr) history_file_->abandon();
  segment_->abandon();
}

}  // namespace tide
