// The relations "events", "scaling_events" and "commands": what the owner wrote down, oldest first, as far back as its
// rings go.
#include <algorithm>

#include "model/words.hpp"
#include "plane/mailbox_sender.hpp"
#include "reading/cell.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kEventColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"seq", integer, "", "Counts the pool's events from 1; a gap is an event that was overwritten."},
    {"at", time, "", "When it happened."},
    {"kind", text, "", "What happened, as one of a closed set of words.", open},
    {"severity", text, "", "info, warning or critical.", open},
    {"message", text, "", "What happened, as a sentence.", masked},
    {"detail", json, "", "The numbers and names of it, as an object; null when there are none.", masked},
};

constexpr Column kScalingColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"seq", integer, "", "Counts the pool's changes of size from 1."},
    {"at", time, "", "When it was decided."},
    {"from_size", integer, "connections", "The target before."},
    {"to_size", integer, "connections", "The target afterwards."},
    {"cause", text, "", "The rule that decided: one of the words of pools.size_source.", open},
    {"reason", text, "", "Why, as a sentence.", masked},
    {"in_use", integer, "connections", "Connections that were leased then."},
    {"waiting", integer, "callers", "Callers that waited then."},
    {"wait_p95_ms", real, "ms", "95 of 100 recent waits were shorter; null when nobody waited."},
    {"predicted_in_use", real, "connections", "How many leases were forecast; null without a forecast."},
    {"actor", text, "", "Who asked for it; null when the pool did it by itself.", masked},
};

constexpr Column kCommandColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"command_id", integer, "", "The command, as the function returned it."},
    {"issued_at", time, "", "When it was asked for."},
    {"actor", text, "", "Who asked for it.", masked},
    {"verb", text, "", "What was asked for, as it came; unknown where it was no word.", open},
    {"arguments", json, "",
     "With which arguments, as an object, passwords masked; a text too long to keep ends in three dots. What was no "
     "object "
     "is a text.",
     masked},
    {"status", text, "", "queued, applied, refused or expired.", open},
    {"applied_at", time, "", "When it was answered; null when it was not yet."},
    {"generation", integer, "", "The pool's generation once it was applied."},
    {"message", text, "", "What became of it, as a sentence; of a refusal the reason.", masked},
};

void add_events(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  for (const format::JournalRecord& record : segment.read_journal()) {
    out.push_back({
        cell::text(h.instance_id),
        cell::text(h.pool),
        cell::count(record.stamp),
        cell::time(record.at_wall_ns),
        cell::text(word_of<EventKind>(record.kind)),
        cell::text(word_of<Severity>(record.severity)),
        cell::text(record.message),
        cell::text_or_null(record.detail),
    });
  }
}

void add_scaling_events(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  for (const format::ScalingRecord& record : segment.read_scaling()) {
    out.push_back({
        cell::text(h.instance_id),
        cell::text(h.pool),
        cell::count(record.stamp),
        cell::time(record.at_wall_ns),
        cell::count(record.from_size),
        cell::count(record.to_size),
        cell::text(word_of<SizeSource>(record.cause)),
        cell::text_or_null(record.reason),
        cell::count(record.in_use),
        cell::count(record.waiting),
        cell::measured(record.wait_p95_ms),
        cell::measured(record.predicted_in_use),
        cell::text_or_null(record.actor),
    });
  }
}

void add_commands(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  // Commands that are still in the mailbox first: what the owner answers meanwhile must not be missing from both.
  const std::vector<format::CommandRecord> queued = read_posted_commands(segment);
  std::vector<format::CommandRecord> commands = segment.read_commands();
  for (const format::CommandRecord& posted : queued) {
    const bool is_answered = std::any_of(commands.begin(), commands.end(), [&](const format::CommandRecord& command) {
      return command.command_id == posted.command_id;
    });
    if (!is_answered) commands.push_back(posted);
  }
  for (const format::CommandRecord& command : commands) {
    out.push_back({
        cell::text(h.instance_id),
        cell::text(h.pool),
        cell::owned_id(command.command_id),
        cell::time(command.issued_wall_ns),
        cell::text_or_null(command.actor),
        command.verb.empty() ? cell::text("unknown") : cell::text(command.verb),
        cell::text_or_null(command.arguments),
        cell::text(word_of<CommandStatus>(command.status)),
        cell::time(command.applied_wall_ns),
        cell::count_or_null(command.generation),
        cell::text_or_null(command.message),
    });
  }
}

}  // namespace

const Source& events_source() {
  static constexpr Source kSource{{"events", "What happened in each pool, oldest first.", kEventColumns}, add_events};
  return kSource;
}

const Source& scaling_events_source() {
  static constexpr Source kSource{{"scaling_events", "Every change of a pool's size, with its cause.", kScalingColumns},
                                  add_scaling_events};
  return kSource;
}

const Source& commands_source() {
  static constexpr Source kSource{{"commands", "What pools were asked to do, and what became of it.", kCommandColumns},
                                  add_commands};
  return kSource;
}

}  // namespace tide
