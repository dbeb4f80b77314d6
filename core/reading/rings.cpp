// The relations "events", "scaling_events" and "commands": the records in the owner's rings, oldest first.
#include <algorithm>

#include "model/words.hpp"
#include "reading/cell.hpp"
#include "reading/source.hpp"
#include "segment/mailbox_sender.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kEventColumns[] = {
    {"seq", integer, "", "Number of the event, from 1; missing numbers have been overwritten."},
    {"at", time, "", "When it happened."},
    {"kind", text, "", "Kind of event.", open},
    {"severity", text, "", "info, warning or critical.", open},
    {"message", text, "", "Description of the event.", masked},
    {"detail", json, "", "Figures and names as a JSON object; null if there are none.", masked},
};

constexpr Column kScalingColumns[] = {
    {"seq", integer, "", "Number of the change, from 1."},
    {"at", time, "", "When the change was decided."},
    {"from_size", integer, "connections", "Target size before the change."},
    {"to_size", integer, "connections", "Target size after the change."},
    {"cause", text, "", "Source of the decision, as in pools.size_source.", open},
    {"reason", text, "", "Reason for the change.", masked},
    {"in_use", integer, "connections", "Connections leased at that time."},
    {"waiting", integer, "callers", "Callers waiting at that time."},
    {"wait_p95_ms", real, "ms", "95th percentile of the recent waits; null if nobody waited."},
    {"predicted_in_use", real, "connections", "Leased connections, as forecast; null without a forecast."},
    {"actor", text, "", "Who issued the command; null if the pool decided itself.", masked},
};

constexpr Column kCommandColumns[] = {
    {"command_id", integer, "", "The command, as the function returned it."},
    {"issued_at", time, "", "When the command was issued."},
    {"actor", text, "", "Who issued the command.", masked},
    {"verb", text, "", "The command, as received; unknown if it was not readable.", open},
    {"arguments", json, "",
     "Arguments as a JSON object, with passwords masked; texts that are too long end in three dots. Arguments that "
     "were not an object are shown as text.",
     masked},
    {"status", text, "", "queued, applied, refused or expired.", open},
    {"applied_at", time, "", "When the command was applied or refused; null before that."},
    {"generation", integer, "", "Generation of the pool after the command was applied."},
    {"message", text, "", "Result, or reason of the refusal.", masked},
};

void add_events(const Attachment& segment, int64_t, std::vector<Row>& out) {
  for (const format::JournalRecord& record : segment.read_journal()) {
    out.push_back({
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
  for (const format::ScalingRecord& record : segment.read_scaling()) {
    out.push_back({
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
  // Commands in the mailbox are read first: a command that the owner answers in the meantime must not be missing from
  // both.
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
  static constexpr Source kSource{{"events", "Events of each pool, oldest first.", kEventColumns}, add_events};
  return kSource;
}

const Source& scaling_events_source() {
  static constexpr Source kSource{{"scaling_events", "Changes of the target size, with their causes.", kScalingColumns},
                                  add_scaling_events};
  return kSource;
}

const Source& commands_source() {
  static constexpr Source kSource{
      {"commands", "Commands sent to the pools, who issued them, and their results.", kCommandColumns}, add_commands};
  return kSource;
}

}  // namespace tide
