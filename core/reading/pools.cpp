// The relation "pools": one row for each instance: its properties and current state.
#include "model/words.hpp"
#include "reading/cell.hpp"
#include "reading/counts.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Setter kChangeState[] = {{.verb = Verb::pause, .when = "paused"},
                                   {.verb = Verb::resume, .when = "running"},
                                   {.verb = Verb::drain, .when = "draining"}};
constexpr Setter kSetLimit[] = {{Verb::set, "value", "option"}};
constexpr Setter kScale[] = {{Verb::scale, "target_size"}};

constexpr Column kPoolColumns[] = {
    {"source", text, "", "segment: a pool of an application; hosted: a pool of the PostgreSQL worker.", open},
    {"app", text, "", "Name of the application that owns the pool.", open},
    {"host", text, "", "Host the owner runs on.", open},
    {"pid", int4, "", "The owner's process id."},
    {"backend", text, "", "The kind of database: postgresql, sqlite or custom.", open},
    {"target", text, "", "The database the pool connects to, without credentials.", masked},
    {"db_user", text, "", "The user the pool connects as.", masked},
    {"state", text, "",
     "starting, running, paused, draining, degraded, emergency or closed; stale if the owner has stopped updating, "
     "dead if its process has exited.",
     open, kChangeState},
    {"size", integer, "connections",
     "Open connections: idle + in_use + connecting + validating; without the one for notifications."},
    {"idle", integer, "connections", "Connections available for leasing."},
    {"in_use", integer, "connections", "Connections that are leased."},
    {"connecting", integer, "connections", "Connections being opened."},
    {"validating", integer, "connections", "Connections being validated or reset."},
    {"waiting", integer, "callers", "Callers waiting for a connection."},
    {"oldest_wait_ms", real, "ms", "How long the first caller in the queue has waited; 0 if the queue is empty."},
    {"min_size", integer, "connections", "Minimum number of connections.", kSetLimit},
    {"max_size", integer, "connections", "Maximum number of connections, except during a burst.", kSetLimit},
    {"target_size", integer, "connections",
     "Desired number of connections. Set it to pin the size; set NULL for automatic sizing.", kScale},
    {"limit_size", integer, "connections", "Effective limit: the pool never has more connections."},
    {"size_source", text, "",
     "The rule that set the size: config, autoscale, predicted, manual, burst, emergency or budget.", open},
    {"burst_until", time, "", "When the burst ends; null without a burst."},
    {"utilization", real, "ratio", "in_use / limit_size."},
    {"health", integer, "", "Health from 0 (worst) to 100 (best); null before the first check."},
    {"generation", integer, "", "Incremented by every applied command."},
    {"started_at", time, "", "When the pool was opened."},
    {"sampled_at", time, "", "When this row was read."},
    {"age_ms", real, "ms", "Time since the owner's last update; connection counts are always current."},
    {"version", text, "", "The owner's version of tidepool.", open},
    {"breaker", text, "",
     "Circuit breaker: off, closed, open or half_open; while it is open, requests are refused immediately.", open},
    {"breaker_probe_at", time, "", "When the next connection attempt is made; null unless the breaker is open."},
    {"pooler", text, "",
     "Connection pooler between the pool and the server: none, session or transaction; null if unknown.", open},
};

}  // namespace

SlotCounts count_slots(const std::vector<SlotCopy>& slots) {
  SlotCounts counts;
  for (const SlotCopy& slot : slots) counts.add(slot.word.state());
  return counts;
}

std::vector<std::pair<HealthCheck, format::HealthRecord>> checks_made(const Attachment& segment) {
  std::vector<std::pair<HealthCheck, format::HealthRecord>> made;
  const auto block = segment.read_health();
  for (size_t i = 0; block && i < std::size(block->record); ++i) {
    if (block->record[i].checked_wall_ns != 0) made.emplace_back(static_cast<HealthCheck>(i), block->record[i]);
  }
  return made;
}

std::string_view state_word(Liveness liveness, const std::optional<VitalsCopy>& vitals) {
  const std::string_view own = vitals ? word_of<PoolState>(vitals->state) : std::string_view{};
  if (own == "closed") return own;
  if (liveness == Liveness::dead) return "dead";
  if (liveness == Liveness::stale) return "stale";
  return own;
}

namespace {

Value oldest_wait(const format::QueueStats& queue, const cell::Moments& moments) {
  return queue.waiting == 0 ? cell::ms(0) : moments.ms_since(cell::signed_of(queue.head_since_mono));
}

Value utilization(uint64_t in_use, int64_t limit_size) {
  if (limit_size <= 0) return cell::none();
  return static_cast<double>(in_use) / static_cast<double>(limit_size);
}

void add_pools(const Attachment& segment, int64_t wall_now_ns, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  const Liveness liveness = segment.liveness();
  const auto vitals = segment.read_vitals();
  const auto queue = segment.read_queue();
  const SlotCounts slots = count_slots(segment.read_slots());
  const cell::Moments moments(vitals, wall_now_ns);
  const auto size = [&](int64_t VitalsCopy::*member) {
    return vitals ? cell::integer((*vitals).*member) : cell::none();
  };
  out.push_back({
      cell::text(h.is_hosted ? "hosted" : "segment"),
      cell::text_or_null(h.app),
      cell::text_or_null(h.host),
      cell::count(h.pid),
      cell::text(word_of<Backend>(h.backend)),
      cell::text(h.target),
      cell::text_or_null(h.db_user),
      cell::text_or_null(state_word(liveness, vitals)),
      cell::count(slots.size()),
      cell::count(slots.idle()),
      cell::count(slots.in_use()),
      cell::count(slots.connecting()),
      cell::count(slots.validating()),
      queue ? cell::count(queue->waiting) : cell::none(),
      queue ? oldest_wait(*queue, moments) : cell::none(),
      size(&VitalsCopy::min_size),
      size(&VitalsCopy::max_size),
      size(&VitalsCopy::target_size),
      size(&VitalsCopy::limit_size),
      vitals ? cell::text(word_of<SizeSource>(vitals->size_source)) : cell::none(),
      vitals ? moments.at(vitals->burst_until_mono) : cell::none(),
      vitals ? utilization(slots.in_use(), vitals->limit_size) : cell::none(),
      vitals ? cell::measured(vitals->health) : cell::none(),
      vitals ? cell::count(vitals->generation) : cell::none(),
      cell::time(h.started_wall_ns),
      cell::time(wall_now_ns),
      vitals ? moments.ms_since(vitals->heartbeat_mono) : cell::none(),
      cell::text(h.version),
      vitals ? cell::text(word_of<BreakerState>(vitals->breaker)) : cell::none(),
      vitals ? moments.at(vitals->breaker_probe_mono) : cell::none(),
      vitals ? cell::text_or_null(word_at(kPoolerWords, vitals->pooler)) : cell::none(),
  });
}

}  // namespace

const Source& pools_source() {
  static constexpr Source kSource{{"pools", "One row for each pool of each process.", kPoolColumns}, add_pools};
  return kSource;
}

}  // namespace tide
