#include "pool/clerk.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "model/command.hpp"
#include "plane/order_record.hpp"
#include "policy/settings.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"

namespace tide {
namespace {

constexpr int64_t kOrderLifeNs = 60'000'000'000;  // an order nobody took for a minute is not meant any more
constexpr size_t kPendingMax = 64;

Verdict refused(Status why) {
  Verdict verdict;
  verdict.kind = Verdict::Kind::refused;
  verdict.why = std::move(why);
  return verdict;
}

Verdict applied(std::string message) {
  Verdict verdict;
  verdict.message = std::move(message);
  return verdict;
}

std::string story_of(const Verdict& verdict) {
  if (verdict.kind != Verdict::Kind::refused) return verdict.message;
  std::string text = verdict.why.message;
  if (!verdict.why.detail.empty()) text += "; " + verdict.why.detail;
  if (!verdict.why.hint.empty()) text += " (" + verdict.why.hint + ")";
  return text;
}

}  // namespace

Clerk::Clerk(Pool& pool, Keeper& keeper, Mailbox& mailbox)
    : pool_(pool),
      keeper_(keeper),
      mailbox_(mailbox),
      commands_(pool.segment().ring(pool.segment().header().commands)) {}

uint64_t Clerk::post(PostedOrder order) {
  const std::lock_guard lock(inbox_mutex_);
  // Numbers of this process's own orders; a pool with a mailbox gets its orders there, so the two never mix.
  order.number = ++local_number_;
  inbox_.push_back(std::move(order));
  return pool_.id_of(local_number_);
}

void Clerk::take(Instant now) {
  std::vector<PostedOrder> orders = mailbox_.take();
  {
    const std::lock_guard lock(inbox_mutex_);
    orders.insert(orders.end(), std::make_move_iterator(inbox_.begin()), std::make_move_iterator(inbox_.end()));
    inbox_.clear();
  }
  for (const PostedOrder& order : orders) obey(order, pool_.id_of(order.number), now);
}

void Clerk::obey(const PostedOrder& posted, uint64_t command_id, Instant now) {
  const int64_t age_ns = pool_.clock().wall_ns() - posted.issued_wall_ns;
  auto command = parse_command(posted.verb, posted.arguments);
  if (age_ns > kOrderLifeNs) {
    return record(posted, command_id,
                  applied("not obeyed: it was " + describe_span(Span::nanos(age_ns)) + " old when it arrived"), true);
  }
  if (!command) return record(posted, command_id, refused(command.take_status()), false);
  if (pending_.size() >= kPendingMax) {
    return record(posted, command_id,
                  refused(Status::error(Code::refused, "64 orders are pending already", "", "wait for them to finish")),
                  false);
  }
  command->id = command_id;
  const auto by = command->verb() == Verb::ack ? command->text("by") : std::nullopt;
  command->actor = by.value_or(posted.actor);
  const Verdict verdict = decide(*command, now);
  if (verdict.kind == Verdict::Kind::applied) {
    applied_.push_back({posted, command_id, verdict});
  } else {
    record(posted, command_id, verdict, false);
  }
  if (verdict.kind == Verdict::Kind::refused) {
    keeper_.publisher_.note(EventKind::command_refused, Severity::info,
                            std::string(command->name()) + " refused: " + verdict.why.message);
  }
}

Verdict Clerk::decide(const Command& command, Instant now) {
  if (command.verb() == Verb::set) return set_option(command, now);
  if (command.verb() == Verb::reset_stats) {
    keeper_.bulletin_.write_tallies(keeper_.brain_);  // what was counted before the order
    keeper_.publisher_.reset_stats();
    keeper_.publisher_.note(EventKind::stats_reset, Severity::info, "statistics start anew, asked by " + command.actor);
    return applied("statistics start anew");
  }
  return keeper_.brain_.order(command, keeper_.census_, now);
}

Verdict Clerk::set_option(const Command& command, Instant now) {
  Policy changed = keeper_.policy_;
  const auto set = tide::set_option(changed, *command.text("option"), *command.text("value"), pool_.board_.capacity());
  if (!set) return refused(set.status());
  const Setting* const setting = *set;
  if (Status checked = check_policy(changed); !checked) return refused(std::move(checked));
  keeper_.policy_ = changed;
  pool_.set_fast_policy(changed);
  keeper_.brain_.set_policy(changed, now);
  pool_.connector_->set_policy(changed);
  pool_.spec_.sources[place_of(*setting)] = SettingSource::manual;
  keeper_.publisher_.settings(changed, pool_.spec_.sources);
  std::string text = std::string(setting->name) + " is " + format_value(changed, *setting) + " now";
  const std::string why = why_without_effect(changed, pool_.spec_.target.scheme, *setting);
  if (!why.empty()) text += "; " + why;
  keeper_.publisher_.note(EventKind::setting_changed, Severity::info, text + ", set by " + command.actor);
  return applied(setting->applies == Applies::new_connections ? text + ", for connections opened from now on" : text);
}

void Clerk::record(const PostedOrder& posted, uint64_t command_id, const Verdict& verdict, bool is_expired) {
  const int64_t wall_ns = pool_.clock().wall_ns();
  const bool is_pending = verdict.kind == Verdict::Kind::pending;
  const std::string story = story_of(verdict);
  const uint64_t number = commands_.append([&](format::CommandRecord& out) {
    out.command_id = command_id;
    out.issued_wall_ns = posted.issued_wall_ns;
    out.applied_wall_ns = is_pending ? 0 : wall_ns;
    const auto status = is_expired                               ? CommandStatus::expired
                        : is_pending                             ? CommandStatus::queued
                        : verdict.kind == Verdict::Kind::refused ? CommandStatus::refused
                                                                 : CommandStatus::applied;
    out.status = static_cast<uint32_t>(status);
    out.generation = keeper_.outlook_.generation;
    out.actor.assign(posted.actor);
    out.verb.assign(recorded_verb(posted.verb));
    out.arguments.assign(recorded_arguments(posted.arguments, out.arguments.kBytesMax));
    out.message.assign_shortened(story);
  });
  if (is_pending) pending_.push_back({command_id, number});
}

void Clerk::answer(uint64_t command_id, const Verdict& verdict) {
  const auto found =
      std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.command_id == command_id; });
  if (found == pending_.end()) return;
  finished_.push_back({found->record, verdict});
  pending_.erase(found);
}

void Clerk::settle() {
  for (const Applied& order : applied_) record(order.posted, order.command_id, order.verdict, false);
  applied_.clear();
  const int64_t wall_ns = pool_.clock().wall_ns();
  for (const Finished& order : finished_) {
    const std::string story = story_of(order.verdict);
    const bool is_refused = order.verdict.kind == Verdict::Kind::refused;
    commands_.amend(order.record, [&](format::CommandRecord& out) {
      out.applied_wall_ns = wall_ns;
      out.status = static_cast<uint32_t>(is_refused ? CommandStatus::refused : CommandStatus::applied);
      out.generation = keeper_.outlook_.generation;
      out.message.assign_shortened(story);
    });
  }
  finished_.clear();
}

void Clerk::refuse_pending(const std::string& why) {
  while (!pending_.empty()) answer(pending_.front().command_id, refused(Status::error(Code::closed, why)));
  settle();
}

}  // namespace tide
