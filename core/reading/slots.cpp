// The relations "connections" and "leases": the contents of the slots.
//
// A slot that changed too fast to be copied consistently still has its row, so that counts are right; its other values
// are null.
#include <algorithm>
#include <optional>
#include <string>

#include "model/words.hpp"
#include "reading/cell.hpp"
#include "reading/source.hpp"
#include "segment/format.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kConnectionColumns[] = {
    {"conn_id", integer, "", "Identifier of the connection, never reused in this instance."},
    {"state", text, "",
     "connecting, idle, in_use, validating or closing; listening: the connection for notifications, which is not "
     "counted in "
     "pools.size.",
     open},
    {"server_pid", int4, "", "Process id of the server session; null where the database has none."},
    {"tag", text, "", "Tag of the current lease; of the connection for notifications its number of channels.", masked},
    {"created_at", time, "", "When the connection was opened."},
    {"state_since", time, "", "When the connection entered this state."},
    {"expires_at", time, "", "When the connection reaches max_lifetime; null is never."},
    {"uses_total", integer, "leases", "Times the connection was leased."},
    {"queries_total", integer, "queries", "Queries executed on the connection."},
    {"in_transaction", boolean, "", "Whether a transaction is open on it."},
    {"last_error", text, "", "Last error of the connection; null if there was none.", masked},
    {"suspect_leak", boolean, "", "True if the lease is held longer than leak_threshold."},
    {"statements", integer, "statements", "Prepared statements that the connection keeps (statement_cache_size)."},
};

constexpr Column kLeaseColumns[] = {
    {"lease_id", integer, "", "Identifier of the lease, never reused in this instance."},
    {"conn_id", integer, "", "The leased connection."},
    {"tag", text, "", "Tag given by the holder.", masked},
    {"thread_id", integer, "", "Thread that acquired the lease (kernel thread id)."},
    {"acquired_at", time, "", "When the lease was acquired."},
    {"last_used_at", time, "", "When the lease was last used."},
    {"age_ms", real, "ms", "How long the lease has been held."},
    {"idle_ms", real, "ms", "Time since the lease was last used."},
    {"deadline", time, "", "When the lease becomes overdue; null is never."},
    {"overdue", boolean, "", "True if the lease is held longer than lease_timeout."},
};

// Leases do not write since_mono, to keep the fast path short; it is derived from the lease's begin and end.
int64_t since_mono_of(const SlotCopy& slot) {
  switch (slot.word.state()) {
    case SlotState::leased:
    case SlotState::returning: return slot.acquired_mono;
    case SlotState::idle: return std::max(slot.since_mono, slot.last_used_mono);
    default: return slot.since_mono;
  }
}

Value queries_of(const SlotCopy& slot, const std::vector<uint64_t>& query_counts) {
  if (slot.index >= query_counts.size()) return cell::none();
  return cell::count(cell::minus(query_counts[slot.index], slot.queries_before));
}

// The state of the connection in a slot of this state.
std::string_view connection_state_word(SlotState state) {
  switch (state) {
    case SlotState::empty: return "";
    case SlotState::opening: return "connecting";
    case SlotState::idle: return "idle";
    case SlotState::leased:
    case SlotState::returning: return "in_use";
    case SlotState::soiled:
    case SlotState::held: return "validating";
    case SlotState::closing:
    case SlotState::revoked: return "closing";
  }
  return "unknown";
}

// The connection for notifications, while there is one or one is being opened.
void add_listener(const Attachment& segment, const cell::Moments& moments, std::vector<Row>& out) {
  const std::optional<format::ListenerVitals> vitals = segment.read_listener();
  if (!vitals) return;
  const uint64_t state = vitals->state;
  const bool is_listening = state == static_cast<uint64_t>(ListenerState::listening);
  if (!is_listening && state != static_cast<uint64_t>(ListenerState::connecting)) return;
  const uint64_t channels = vitals->channels;
  Row row{
      cell::id(vitals->conn_id),
      cell::text(is_listening ? "listening" : "connecting"),
      cell::count_or_null(vitals->server_pid),
      cell::text("listen: " + std::to_string(channels) + (channels == 1 ? " channel" : " channels")),
      moments.at(cell::signed_of(vitals->born_mono)),
      moments.at(cell::signed_of(vitals->since_mono)),
      cell::none(),  // expires_at
      cell::none(),  // uses_total
      cell::none(),  // queries_total
      cell::truth(false),
      cell::text_or_null(vitals->last_error),
      cell::truth(false),
  };
  row.resize(std::size(kConnectionColumns));
  out.push_back(std::move(row));
}

void add_connections(const Attachment& segment, int64_t wall_now_ns, std::vector<Row>& out) {
  const auto slots = segment.read_slots();
  const auto query_counts = segment.read_query_counts();
  const auto vitals = segment.read_vitals();
  const cell::Moments moments(vitals, wall_now_ns);
  for (const SlotCopy& slot : slots) {
    const SlotState state = slot.word.state();
    if (slot.conn_id == 0 || state == SlotState::empty) continue;
    Row row{cell::id(slot.conn_id), cell::text(connection_state_word(state))};
    if (slot.is_whole) {
      row.insert(row.end(), {
                                cell::count_or_null(slot.server_pid),
                                state == SlotState::leased ? cell::text_or_null(slot.tag) : cell::none(),
                                moments.at(slot.born_mono),
                                moments.at(since_mono_of(slot)),
                                slot.expires_mono >= cell::kNeverMono ? cell::none() : moments.at(slot.expires_mono),
                                cell::count(cell::minus(slot.acquires_total, slot.acquires_before)),
                                queries_of(slot, query_counts),
                                cell::truth(slot.is_in_transaction),
                                cell::text_or_null(slot.last_error),
                                cell::truth((slot.flags & format::kFlagSuspect) != 0),
                                cell::count(slot.statements),
                            });
    }
    row.resize(std::size(kConnectionColumns));
    out.push_back(std::move(row));
  }
  add_listener(segment, moments, out);
}

void add_leases(const Attachment& segment, int64_t wall_now_ns, std::vector<Row>& out) {
  const auto slots = segment.read_slots();
  const auto vitals = segment.read_vitals();
  const cell::Moments moments(vitals, wall_now_ns);
  const int64_t timeout_ns = vitals ? vitals->lease_timeout_ns : 0;
  for (const SlotCopy& slot : slots) {
    if (slot.word.state() != SlotState::leased) continue;
    const LeaseId lease(slot.index, slot.word.generation());
    Row row{cell::id(lease.bits), cell::id(slot.conn_id)};
    if (slot.is_whole) {
      const bool has_deadline = timeout_ns > 0 && moments.is_known(slot.acquired_mono);
      const bool is_overdue = has_deadline && moments.ns_since(slot.acquired_mono) > timeout_ns;
      row.insert(row.end(), {
                                cell::text_or_null(slot.tag),
                                cell::count_or_null(slot.thread_id),
                                moments.at(slot.acquired_mono),
                                moments.at(slot.last_used_mono),
                                moments.ms_since(slot.acquired_mono),
                                moments.ms_since(slot.last_used_mono),
                                has_deadline ? moments.at(cell::plus(slot.acquired_mono, timeout_ns)) : cell::none(),
                                vitals ? cell::truth(is_overdue) : cell::none(),
                            });
    }
    row.resize(std::size(kLeaseColumns));
    out.push_back(std::move(row));
  }
}

}  // namespace

const Source& connections_source() {
  static constexpr Source kSource{{"connections", "One row for each connection.", kConnectionColumns}, add_connections};
  return kSource;
}

const Source& leases_source() {
  static constexpr Source kSource{{"leases", "One row for each leased connection.", kLeaseColumns}, add_leases};
  return kSource;
}

}  // namespace tide
