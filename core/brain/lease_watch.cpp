#include "brain/lease_watch.hpp"

#include "base/units.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

std::string lease_detail(const SlotCensus& slot, Instant now) {
  return "{\"lease_id\":" + std::to_string(slot.lease_id) + ",\"conn_id\":" + std::to_string(slot.conn_id) +
         ",\"age_ms\":" + std::to_string((now - slot.leased_at).ms()) + "}";
}

std::string lease_text(const SlotCensus& slot, Instant now, std::string_view what, std::string_view option,
                       Span value) {
  std::string text =
      "connection " + std::to_string(slot.conn_id) + ", leased for " + describe_span(now - slot.leased_at) + ", ";
  text.append(what).append(" (").append(option).append(" ").append(format_span(value)).append(")");
  return text;
}

// A note about a lease; includes its id so that the keeper can add the tag of its holder.
void note_lease(Desk& desk, const SlotCensus& slot, EventKind event, Severity severity, std::string text) {
  desk.put(action::Note{event, severity, std::move(text), lease_detail(slot, desk.now()), slot.lease_id});
}

void watch_leak(Desk& desk, const SlotCensus& slot, Dossier& dossier) {
  if (dossier.is_suspect) return;
  const Span threshold = desk.policy().leak_threshold;
  const Instant due = due_after(slot.leased_at, threshold);
  if (desk.now() < due) return desk.wake_at(due);
  dossier.is_suspect = true;
  desk.put(action::MarkSuspect{slot.lease_id});
  note_lease(desk, slot, EventKind::leak_suspected, Severity::info,
             lease_text(slot, desk.now(), "may have been forgotten", "leak_threshold", threshold));
}

void mark_overdue(Desk& desk, const SlotCensus& slot, Dossier& dossier) {
  if (dossier.is_overdue) return;
  dossier.is_overdue = true;
  desk.put(action::MarkOverdue{slot.lease_id});
  note_lease(desk, slot, EventKind::lease_overdue, Severity::warning,
             lease_text(slot, desk.now(), "is overdue", "lease_timeout", desk.policy().lease_timeout));
}

void act_on_overdue(Desk& desk, const SlotCensus& slot, Dossier& dossier) {
  const Policy& policy = desk.policy();
  switch (policy.lease_timeout_action) {
    case LeaseTimeoutAction::report: return;
    case LeaseTimeoutAction::cancel:
      if (dossier.is_cancelled) return;
      dossier.is_cancelled = true;
      desk.put(action::CancelLease{slot.lease_id});
      return note_lease(desk, slot, EventKind::lease_cancelled, Severity::warning,
                        lease_text(slot, desk.now(), "statement cancelled", "lease_timeout", policy.lease_timeout));
    case LeaseTimeoutAction::reclaim:
      dossier.is_revoked = true;
      desk.put(action::RevokeLease{slot.lease_id});
      return note_lease(desk, slot, EventKind::lease_revoked, Severity::warning,
                        lease_text(slot, desk.now(), "revoked", "lease_timeout", policy.lease_timeout));
  }
}

void watch_deadline(Desk& desk, const SlotCensus& slot, Dossier& dossier) {
  const Instant due = due_after(slot.leased_at, desk.policy().lease_timeout);
  if (desk.now() < due) return desk.wake_at(due);
  mark_overdue(desk, slot, dossier);
  act_on_overdue(desk, slot, dossier);
}

// `since` comes from the census, `ended` from the dossier. True: the time has elapsed, and this was not handled before.
bool is_up(Desk& desk, Instant since, Instant ended, Span span) {
  if (!since.is_set() || since == ended) return false;
  const Instant due = due_after(since, span);
  if (desk.now() >= due) return true;
  desk.wake_at(due);
  return false;
}

std::string end_text(std::string_view what, Instant since, Instant now, std::string_view option, Span value) {
  std::string text(what);
  text.append(" for ").append(describe_span(now - since)).append(" (");
  text.append(option).append(" ").append(format_span(value)).append(")");
  return text;
}

void watch_transaction(Desk& desk, const SlotCensus& slot, Dossier& dossier) {
  const Policy& policy = desk.policy();
  const Span idle = policy.idle_in_transaction_timeout;
  const Span reading = policy.sqlite_max_read_transaction;
  const bool is_idle_up = is_up(desk, slot.idle_in_transaction_since, dossier.ended_idle_since, idle);
  const bool is_reading_up = is_up(desk, slot.reading_since, dossier.ended_reading_since, reading);
  if (!is_idle_up && !is_reading_up) return;
  std::string why = is_idle_up ? end_text("idle in transaction", slot.idle_in_transaction_since, desk.now(),
                                          "idle_in_transaction_timeout", idle)
                               : end_text("read transaction open", slot.reading_since, desk.now(),
                                          "sqlite_max_read_transaction", reading);
  desk.put(action::EndTransaction{slot.lease_id, std::move(why)});
  // Ending the transaction ends both, so one action is enough when both are due.
  if (is_idle_up) dossier.ended_idle_since = slot.idle_in_transaction_since;
  if (is_reading_up) dossier.ended_reading_since = slot.reading_since;
}

}  // namespace

void watch_leases(Desk& desk) {
  for (const SlotCensus& slot : desk.census().slots) {
    if (slot.phase != Phase::leased) continue;
    Dossier& dossier = desk.dossier(slot);
    if (dossier.is_revoked) continue;
    watch_leak(desk, slot, dossier);
    watch_deadline(desk, slot, dossier);
    if (!dossier.is_revoked) watch_transaction(desk, slot, dossier);
  }
}

}  // namespace tide::brain
