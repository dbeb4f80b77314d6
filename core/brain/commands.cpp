#include "brain/commands.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/units.hpp"
#include "brain/brain.hpp"
#include "brain/wording.hpp"
#include "model/command.hpp"

namespace tide::brain {
namespace {

Verdict refused(Code code, std::string message, std::string detail = {}, std::string hint = {}) {
  return Verdict::refused(Status::error(code, std::move(message), std::move(detail), std::move(hint)));
}

Verdict refused_full() {
  return refused(Code::refused, std::to_string(Pending::kMax) + " commands are still pending",
                 "at most " + std::to_string(Pending::kMax) + " are allowed", "wait until some are applied");
}

// There is no size to set where no connection is kept.
Verdict refused_without_pooling(const char* verb) {
  return refused(Code::refused, std::string(verb) + " refused: max_size is 0, so no connections are kept",
                 "each lease opens a connection of its own", "set max_size to enable pooling");
}

// "resume, end_burst, ..."
std::string verbs_while_draining() {
  std::string out;
  for (size_t i = 0; i < std::size(kCommands); ++i) {
    if (kCommands[i].while_draining) out.append(out.empty() ? "" : ", ").append(kVerbWords[i]);
  }
  return out;
}

// Only scale takes a reason.
std::string reason_of(const Command& command) {
  return command.verb() == Verb::scale ? command.text("reason").value_or("") : std::string();
}

const SlotCensus* find_slot(const Census& census, const auto& is_it) {
  const auto it = std::find_if(census.slots.begin(), census.slots.end(), is_it);
  return it == census.slots.end() ? nullptr : &*it;
}

}  // namespace

Verdict Commands::accept(const Command& command, const Census& census, Instant now, Ledger& ledger) {
  const Verdict verdict = decide(command, census, now, ledger);
  if (verdict.kind != Verdict::Kind::refused) ++ledger.generation;
  return verdict;
}

Verdict Commands::decide(const Command& command, const Census& census, Instant now, Ledger& ledger) {
  if (ledger.controls.is_draining && !about(command.verb()).while_draining) {
    return refused(Code::refused, std::string(command.name()) + " refused: the pool is draining",
                   "a draining pool takes " + verbs_while_draining(), "resume the pool first");
  }
  switch (command.verb()) {
    case Verb::scale: return scale(command, now, ledger);
    case Verb::burst: return burst(command, now, ledger);
    case Verb::end_burst: return end_burst(command, ledger);
    case Verb::pause: return pause(command, ledger);
    case Verb::resume: return resume(command, now, ledger);
    case Verb::recycle: return recycle(command, census, now, ledger);
    case Verb::drain: return drain(command, census, ledger);
    case Verb::close_connection: return close_connection(command, census, now, ledger);
    case Verb::revoke: return revoke(command, census, ledger);
    case Verb::annotate:
      note(command, EventKind::annotation, *command.text("message"));
      return Verdict::applied("annotated");
    case Verb::check_health:
    case Verb::ack:
    case Verb::set_alert:
    case Verb::drop_alert:
    case Verb::evaluate:
    case Verb::set:
    case Verb::reset_stats:
    case Verb::clear_cache:
    case Verb::clear_logs: break;
  }
  constexpr bool is_about_connections = false;  // the others have deciders of their own
  TIDE_ASSERT(is_about_connections);
  return {};
}

void Commands::note(const Command& command, EventKind event, std::string text) {
  backlog_.push_back(
      action::Note{event, Severity::info, with_reason(std::move(text) + by(command.actor), reason_of(command))});
}

// A row of scaling_events, whatever moves the target.
void Commands::move_target(const Command& command, int64_t to, SizeSource cause, std::string why, Ledger& ledger) {
  backlog_.push_back(action::Scale{ledger.target, to, cause, std::move(why), command.actor});
  ledger.target = to;
}

Verdict Commands::scale(const Command& command, Instant now, Ledger& ledger) {
  Controls& controls = ledger.controls;
  const std::optional<int64_t> size = command.whole("target_size");
  if (!size) {
    const bool was_manual = controls.manual_size.has_value();
    controls.manual_size.reset();
    return Verdict::applied(was_manual ? "automatic sizing enabled" : "automatic sizing was already enabled");
  }
  if (!ledger.policy.is_pooling()) return refused_without_pooling("scale");
  const int64_t low = ledger.policy.min_size;
  const int64_t high = std::min(ledger.policy.max_size, ledger.capacity);
  if (*size < low || *size > high) {
    return refused(Code::refused, "scale to " + std::to_string(*size) + " refused: outside min_size and max_size",
                   "accepted: " + std::to_string(low) + " to " + std::to_string(high) + ", or null for automatic",
                   *size > high ? "raise max_size, or start a burst for a short while" : "lower min_size");
  }
  const int64_t from = ledger.target;
  controls.manual_size = *size;
  controls.manual_actor = command.actor;
  ledger.target_changed_at = now;
  if (from != *size) ledger.pulse.target_moved(from < *size);
  ledger.is_awake = true;
  move_target(command, *size, SizeSource::manual,
              reason_of(command).empty() ? "scale to " + std::to_string(*size) : reason_of(command), ledger);
  if (from != *size) {
    note(command, from < *size ? EventKind::scale_up : EventKind::scale_down,
         "target " + std::to_string(from) + " -> " + std::to_string(*size));
  }
  return Verdict::applied("size set to " + std::to_string(*size) + " until the next scale");
}

Verdict Commands::burst(const Command& command, Instant now, Ledger& ledger) {
  if (!ledger.policy.is_pooling()) return refused_without_pooling("burst");
  if (!ledger.policy.burst) {
    return refused(Code::refused, "burst refused: the option burst is off", "accepted with burst on",
                   "set burst to on, or raise max_size");
  }
  const Span span = command.span("duration").value_or(ledger.policy.burst_duration);
  const bool was_on = ledger.controls.burst_until.has_value();
  ledger.controls.burst_until = now + span;
  ledger.tallies.bursts += was_on ? 0 : 1;
  const SizeBounds bounds = precedence(ledger);
  const std::string text = "up to " + counted(bounds.limit, "connection") + " for " + format_span(span);
  note(command, EventKind::burst_on, (was_on ? "burst extended: " : "burst: ") + text);
  return Verdict::applied(text);
}

Verdict Commands::end_burst(const Command& command, Ledger& ledger) {
  if (!ledger.controls.burst_until) return Verdict::applied("no burst was active");
  ledger.controls.burst_until.reset();
  note(command, EventKind::burst_off, "burst ended");
  return Verdict::applied("burst ended, the limit is " + limit_reason(ledger));
}

Verdict Commands::pause(const Command& command, Ledger& ledger) {
  if (ledger.controls.is_paused) return Verdict::applied("already paused");
  ledger.controls.is_paused = true;
  note(command, EventKind::pause, "paused");
  return Verdict::applied("paused");
}

Verdict Commands::resume(const Command& command, Instant now, Ledger& ledger) {
  Controls& controls = ledger.controls;
  if (!controls.is_paused && !controls.is_draining) return Verdict::applied("already running");
  if (controls.is_draining) {
    pending_.overtake_drains("resumed" + by(command.actor), backlog_);
    const SizeBounds bounds = precedence(ledger);
    if (bounds.lowest != ledger.target) {
      move_target(command, bounds.lowest, bounds.source, "resumed after a drain with the minimum size", ledger);
    }
  }
  controls.is_paused = controls.is_draining = false;
  ledger.resumed_at = now;
  note(command, EventKind::resume, "resumed");
  return Verdict::applied("resumed");
}

Verdict Commands::recycle(const Command& command, const Census& census, Instant now, Ledger& ledger) {
  const int64_t n = replaceable(census);
  if (n == 0) return Verdict::applied("0 connections replaced");
  if (pending_.is_full()) return refused_full();
  const Span spread = command.span("spread").value_or(Span());
  const uint64_t bit = pending_.admit(command, n);
  ledger.dossiers.mark_for_replacement(census, now, spread, ledger.rng, bit);
  const std::string text = "replacing " + counted(n, "connection") +
                           (spread.is_zero() ? std::string(" at once") : " over " + format_span(spread));
  note(command, EventKind::recycle, text);
  return Verdict::pending(text);
}

Verdict Commands::drain(const Command& command, const Census& census, Ledger& ledger) {
  const int64_t n = static_cast<int64_t>(census.slots.size());
  const bool was_draining = ledger.controls.is_draining;
  if (n > 0 && pending_.is_full()) return refused_full();
  ledger.controls.is_draining = true;
  if (!was_draining) note(command, EventKind::drain, "draining " + counted(n, "connection"));
  if (n == 0) return Verdict::applied(was_draining ? "already drained" : "drained, no connections were open");
  pending_.admit(command, n);
  return Verdict::pending(was_draining ? "already draining" : "draining " + counted(n, "connection"));
}

Verdict Commands::close_connection(const Command& command, const Census& census, Instant now, Ledger& ledger) {
  const auto conn_id = static_cast<uint64_t>(*command.whole("conn_id"));
  const SlotCensus* slot = find_slot(census, [conn_id](const SlotCensus& s) { return s.conn_id == conn_id; });
  if (conn_id == 0 || slot == nullptr) {
    return refused(Code::not_found, "there is no connection " + std::to_string(conn_id), {},
                   "the connections relation lists them");
  }
  if (pending_.is_full()) return refused_full();
  Dossier& dossier = ledger.dossiers.of(*slot);
  dossier.replace_at = earliest(dossier.replace_at, now);
  dossier.awaited_by |= pending_.admit(command, 1);
  return Verdict::pending(slot->phase == Phase::leased ? "will be closed when its lease ends" : "closing");
}

Verdict Commands::revoke(const Command& command, const Census& census, Ledger& ledger) {
  const auto lease_id = static_cast<uint64_t>(*command.whole("lease_id"));
  const SlotCensus* slot =
      find_slot(census, [lease_id](const SlotCensus& s) { return s.phase == Phase::leased && s.lease_id == lease_id; });
  if (slot == nullptr) {
    return refused(Code::not_found, "there is no lease " + std::to_string(lease_id), "it may have ended already",
                   "the leases relation lists them");
  }
  Dossier& dossier = ledger.dossiers.of(*slot);
  if (dossier.is_revoked) return Verdict::applied("already revoked");
  dossier.is_revoked = true;
  backlog_.push_back(action::RevokeLease{lease_id});
  backlog_.push_back(
      action::Note{EventKind::lease_revoked,
                   Severity::warning,
                   "lease on connection " + std::to_string(slot->conn_id) + " revoked" + by(command.actor),
                   {},
                   lease_id});
  return Verdict::applied("lease on connection " + std::to_string(slot->conn_id) + " revoked");
}

void Commands::tick(Desk& desk) {
  for (Action& action : backlog_) desk.put(std::move(action));
  backlog_.clear();
  drop_manual_out_of_range(desk);
  end_expired_burst(desk);
}

// Changed limits can exclude a manual size; it ends then, because pinning another size was not requested.
void Commands::drop_manual_out_of_range(Desk& desk) {
  Controls& controls = desk.ledger().controls;
  if (!controls.manual_size) return;
  const int64_t size = *controls.manual_size;
  const Policy& policy = desk.policy();
  if (policy.is_pooling() && size >= policy.min_size && size <= policy.max_size) return;
  controls.manual_size.reset();
  desk.note(EventKind::setting_changed, Severity::warning,
            "manual size " + std::to_string(size) + by(controls.manual_actor) + " dropped: outside min_size " +
                std::to_string(policy.min_size) + " and max_size " + std::to_string(policy.max_size));
}

void Commands::end_expired_burst(Desk& desk) {
  Controls& controls = desk.ledger().controls;
  if (!controls.burst_until) return;
  const bool is_over = desk.now() >= *controls.burst_until;
  if (!is_over && desk.policy().burst) return desk.wake_at(*controls.burst_until);
  controls.burst_until.reset();
  desk.note(EventKind::burst_off, Severity::info,
            is_over ? "burst ended: its duration elapsed" : "burst ended: the option burst is off");
}

void Commands::retire_all(Desk& desk) {
  for (const SlotCensus& slot : desk.census().slots) {
    if (!desk.is_leaving(slot) && slot.phase != Phase::opening) desk.retire(slot, CloseReason::control);
  }
}

}  // namespace tide::brain
