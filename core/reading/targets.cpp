// The relation "targets": the server of each pool. A pool with replicas has a pool for each of them, so that the servers of a
// group are its rows with the same pool_group.
#include <cstdio>

#include "reading/cell.hpp"
#include "reading/counts.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kTargetColumns[] = {
    {"pool_group", text, "", "Name of the pool that was opened: of a replica that of its primary, else pool itself.",
     open},
    {"role", text, "", "Role in the group: single (no replicas), primary or replica.", open},
    {"target", text, "", "Address of the server, without credentials.", masked},
    {"serving", boolean, "", "True if a primary gets writes, or a replica reads. Null if single."},
    {"lag_ms", real, "ms", "How far the replica is behind the primary, when it was last checked. Null if unknown."},
    {"lsn", text, "", "Position in the WAL: of a replica replayed, of a primary durable. Null if unknown.", open},
    {"size", integer, "connections", "Connections, in any state."},
    {"in_use", integer, "connections", "Connections that are leased."},
    {"waiting", integer, "callers", "Callers that wait for a connection."},
    {"reads_total", integer, "leases", "Reads that were sent to this server. Null if single."},
    {"errors_total", integer, "", "Failures for which the replica was left out. Null if not a replica."},
    {"last_checked_at", time, "", "When its role and position were last asked for."},
    {"left_out_since", time, "", "Since when it gets no reads (primary: no writes); null: it does."},
    {"why", text, "", "Why it gets none.", masked},
};

std::string position_of(uint64_t lsn) {
  char text[40];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(lsn >> 32), static_cast<unsigned>(lsn));
  return text;
}

void add_targets(const Attachment& segment, int64_t wall_now_ns, std::vector<Row>& out) {
  const auto target = segment.read_target();
  if (!target) return;
  const auto vitals = segment.read_vitals();
  const auto queue = segment.read_queue();
  const SlotCounts slots = count_slots(segment.read_slots());
  const cell::Moments moments(vitals, wall_now_ns);
  const std::string_view role = word_of<TargetRole>(target->role);
  const bool is_grouped = role == word(TargetRole::primary) || role == word(TargetRole::replica);
  const bool is_replica = role == word(TargetRole::replica);
  const int64_t lag_ns = cell::signed_of(target->lag_ns);
  const uint64_t lsn = target->lsn;
  out.push_back({
      cell::text_or_null(target->group),
      cell::text_or_null(role),
      cell::text(segment.header().target),
      is_grouped ? cell::truth(target->is_serving != 0) : cell::none(),
      is_replica && lag_ns >= 0 ? cell::ms(lag_ns) : cell::none(),
      lsn != 0 ? cell::text(position_of(lsn)) : cell::none(),
      cell::count(slots.size()),
      cell::count(slots.in_use()),
      queue ? cell::count(queue->waiting) : cell::none(),
      is_grouped ? cell::count(target->reads_total) : cell::none(),
      is_replica ? cell::count(target->errors_total) : cell::none(),
      moments.at(cell::signed_of(target->checked_mono)),
      moments.at(cell::signed_of(target->left_out_mono)),
      is_grouped ? cell::text_or_null(target->why) : cell::none(),
  });
}

}  // namespace

const Source& targets_source() {
  static constexpr Source kSource{
      {"targets", "One row for each pool: its server, and its role among replicas.", kTargetColumns}, add_targets};
  return kSource;
}

}  // namespace tide
