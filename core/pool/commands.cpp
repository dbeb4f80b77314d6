#include "pool/commands.hpp"

#include <algorithm>

#include "base/units.hpp"
#include "model/command.hpp"
#include "pool/segment_writer.hpp"
#include "segment/command_record.hpp"

namespace tide {
namespace {

constexpr int64_t kCommandLifeNs = 60'000'000'000;  // a command that waited longer than a minute is no longer wanted
constexpr size_t kPendingMax = 64;

std::string message_of(const Verdict& verdict) {
  if (verdict.kind != Verdict::Kind::refused) return verdict.message;
  std::string text = verdict.why.message();
  if (!verdict.why.detail().empty()) text += "; " + verdict.why.detail();
  if (!verdict.why.hint().empty()) text += " (" + verdict.why.hint() + ")";
  return text;
}

}  // namespace

Commands::Commands(Segment& segment, const Clock& clock, Mailbox& mailbox, SegmentWriter& segment_writer,
                   const Outlook& outlook)
    : segment_(segment),
      clock_(clock),
      mailbox_(mailbox),
      segment_writer_(segment_writer),
      outlook_(outlook),
      commands_(segment.ring(segment.header().commands)) {}

uint64_t Commands::post(PostedCommand command) {
  const std::lock_guard lock(inbox_mutex_);
  // Numbers of this process's own commands; a pool with a mailbox gets its commands there, so the two are never mixed.
  command.number = ++local_number_;
  inbox_.push_back(std::move(command));
  return segment_.id_of(local_number_);
}

void Commands::take(const Decide& decide) {
  std::vector<PostedCommand> commands = mailbox_.take();
  {
    const std::lock_guard lock(inbox_mutex_);
    commands.insert(commands.end(), std::make_move_iterator(inbox_.begin()), std::make_move_iterator(inbox_.end()));
    inbox_.clear();
  }
  for (const PostedCommand& command : commands) obey(command, segment_.id_of(command.number), decide);
}

void Commands::obey(const PostedCommand& posted, uint64_t command_id, const Decide& decide) {
  const int64_t age_ns = clock_.wall_ns() - posted.issued_wall_ns;
  auto command = parse_command(posted.verb, posted.arguments);
  if (age_ns > kCommandLifeNs) {
    return record(posted, command_id,
                  Verdict::applied("expired: it was " + describe_span(Span::nanos(age_ns)) + " old on arrival"), true);
  }
  if (!command) return record(posted, command_id, Verdict::refused(command.take_status()), false);
  if (pending_.size() >= kPendingMax) {
    return record(posted, command_id,
                  Verdict::refused(
                      Status::error(Code::refused, "64 commands are already pending", "", "wait until they are done")),
                  false);
  }
  command->id = command_id;
  const auto by = command->verb() == Verb::ack ? command->text("by") : std::nullopt;
  command->actor = by.value_or(posted.actor);
  const Verdict verdict = decide(*command);
  if (verdict.kind == Verdict::Kind::applied) {
    applied_.push_back({posted, command_id, verdict});
  } else {
    record(posted, command_id, verdict, false);
  }
  if (verdict.kind == Verdict::Kind::refused) {
    segment_writer_.note(EventKind::command_refused, Severity::info,
                         std::string(command->name()) + " refused: " + verdict.why.message());
  }
}

void Commands::record(const PostedCommand& posted, uint64_t command_id, const Verdict& verdict, bool is_expired) {
  const int64_t wall_ns = clock_.wall_ns();
  const bool is_pending = verdict.kind == Verdict::Kind::pending;
  const std::string message = message_of(verdict);
  const uint64_t number = commands_.append([&](format::CommandRecord& out) {
    out.command_id = command_id;
    out.issued_wall_ns = posted.issued_wall_ns;
    out.applied_wall_ns = is_pending ? 0 : wall_ns;
    const auto status = is_expired                               ? CommandStatus::expired
                        : is_pending                             ? CommandStatus::queued
                        : verdict.kind == Verdict::Kind::refused ? CommandStatus::refused
                                                                 : CommandStatus::applied;
    out.status = static_cast<uint32_t>(status);
    out.generation = outlook_.generation;
    out.actor.assign(posted.actor);
    out.verb.assign(recorded_verb(posted.verb));
    out.arguments.assign(recorded_arguments(posted.arguments, out.arguments.kBytesMax));
    out.message.assign_shortened(message);
  });
  if (is_pending) pending_.push_back({command_id, number});
}

void Commands::answer(uint64_t command_id, const Verdict& verdict) {
  const auto found =
      std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.command_id == command_id; });
  if (found == pending_.end()) return;
  finished_.push_back({found->record, verdict});
  pending_.erase(found);
}

void Commands::settle() {
  for (const Applied& command : applied_) record(command.posted, command.command_id, command.verdict, false);
  applied_.clear();
  const int64_t wall_ns = clock_.wall_ns();
  for (const Finished& command : finished_) {
    const std::string message = message_of(command.verdict);
    const bool is_refused = command.verdict.kind == Verdict::Kind::refused;
    commands_.amend(command.record, [&](format::CommandRecord& out) {
      out.applied_wall_ns = wall_ns;
      out.status = static_cast<uint32_t>(is_refused ? CommandStatus::refused : CommandStatus::applied);
      out.generation = outlook_.generation;
      out.message.assign_shortened(message);
    });
  }
  finished_.clear();
}

void Commands::refuse_pending(const std::string& why) {
  while (!pending_.empty()) answer(pending_.front().command_id, Verdict::refused(Status::error(Code::closed, why)));
  settle();
}

}  // namespace tide
