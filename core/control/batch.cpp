#include "control/batch.hpp"

#include <algorithm>
#include <vector>

#include "control/plan.hpp"
#include "control/pool_locator.hpp"
#include "os/clock.hpp"

namespace tide {
namespace {

// An UPDATE uses the instance id; the message adds the name, by which users know the pool.
Status named(Status why, const BatchCommand& entry, const PlannedCommand& each) {
  const bool is_by_id = !each.instance_id.empty() && entry.pool == each.instance_id;
  const bool is_named = why.is_ok() || why.message().find(each.pool) != std::string::npos;
  if (is_by_id && !is_named) why.text().message.insert(0, each.pool + ": ");
  return why;
}

// Finds the pool, and checks whether it can accept the command.
Status look(const BatchCommand& entry, PlannedCommand& each, bool knows_limits) {
  const auto pools = LocatedPool::for_command(entry.directory, entry.pool, entry.command);
  if (!pools) return pools.status();
  if (!entry.pool) return Status::ok();
  const LocatedPool& pool = pools->front();
  each.instance_id = pool.segment().header().instance_id;
  each.pool = pool.name();
  if (const auto vitals = knows_limits ? pool.segment().read_vitals() : std::nullopt) {
    each.minimum = vitals->min_size;
    each.maximum = vitals->max_size;
  }
  return named(pool.check(entry.command), entry, each);
}

// The commands to send, in order; or the reason why they cannot be sent.
Result<std::vector<PlannedCommand>> plan_of(std::span<const BatchCommand> batch, BatchMode mode) {
  std::vector<PlannedCommand> all;
  for (const BatchCommand& entry : batch) {
    all.push_back(planned(all.size(), entry.command));
    if (mode == BatchMode::post) continue;
    if (Status why = look(entry, all.back(), mode == BatchMode::give); !why) return why;
  }
  if (mode == BatchMode::post) return all;
  return settle(std::move(all));
}

struct Sent {
  std::vector<LocatedPool> pools;
  std::vector<uint64_t> ids;
};

// All are posted before waiting for the first answer.
Status post(BatchCommand& entry, Sent& out) {
  auto pools = LocatedPool::for_command(entry.directory, entry.pool, entry.command);
  if (!pools) return pools.status();
  Status first;
  for (LocatedPool& pool : *pools) {
    const auto id = pool.post(entry.command);
    if (!id && first.is_ok()) first = id.status();
    if (!id) continue;
    out.ids.push_back(*id);
    out.pools.push_back(std::move(pool));
  }
  entry.pools = static_cast<int32_t>(out.ids.size());
  if (!out.ids.empty()) {
    entry.command_id = out.ids.back();
    entry.state = CommandState::given;
    return Status::ok();
  }
  const bool is_for_every = !entry.pool && about(entry.command.verb()).sent_to == SentTo::every_pool;
  if (!is_for_every || first.code == Code::bad_argument) return first;
  return Status::error(Code::refused, "there is no pool that this user may control", first.message());
}

// ok: applied, or not answered in time.
Status answer(BatchCommand& entry, const Sent& sent, Span timeout, const IsInterrupted& is_interrupted) {
  const int64_t end = monotonic_ns_now() + timeout.ns();
  Status first;
  size_t refused = 0, applied = 0;
  for (size_t i = 0; i < sent.ids.size(); ++i) {
    const Span left = std::max(Span(), Span::nanos(end - monotonic_ns_now()));
    Status status = sent.pools[i].wait(sent.ids[i], left, true, is_interrupted);
    if (status.is_ok()) ++applied;
    if (status.is_ok() || status.code == Code::timeout) continue;
    if (refused++ == 0) first = std::move(status);
  }
  if (applied == sent.ids.size()) entry.state = CommandState::applied;
  if (refused == 0) return Status::ok();
  entry.state = CommandState::refused;
  if (sent.ids.size() > 1) {
    first.text().message = std::string(entry.command.name()) + " was refused by " + std::to_string(refused) + " of " +
                           std::to_string(sent.ids.size()) + " pools; first reason: " + first.message();
  }
  return first;
}

Status with_given(Status why, std::span<const BatchCommand> batch, std::span<const PlannedCommand> given) {
  std::string list;
  for (const PlannedCommand& each : given) {
    list += (list.empty() ? "" : ", ") + (each.subject.empty() ? std::string(word(each.verb)) : each.subject) +
            (each.pool.empty() ? "" : " of " + each.pool) + " (command " +
            std::to_string(batch[each.place].command_id) + ")";
  }
  if (!list.empty())
    why.text().detail += (why.detail().empty() ? "" : "\n") + ("Already applied, not reverted: " + list);
  return why;
}

}  // namespace

Status run_batch(std::span<BatchCommand> batch, BatchMode mode, const BatchWait& wait) {
  const auto plan = plan_of(batch, mode);
  if (!plan || mode == BatchMode::check) return plan.status();
  std::vector<bool> is_planned(batch.size());
  for (const PlannedCommand& each : *plan) is_planned[each.place] = true;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!is_planned[i]) batch[i].state = CommandState::replaced;
  }
  const int64_t end = monotonic_ns_now() + wait.all.value_or(Span()).ns();
  bool is_patient = true;  // false after an answer did not arrive in time: the others are then posted and polled once
  for (size_t i = 0; i < plan->size(); ++i) {
    const PlannedCommand& each = (*plan)[i];
    BatchCommand& entry = batch[each.place];
    if (entry.state == CommandState::applied) continue;
    const auto kind = about(entry.command.verb()).wait;
    Span timeout = is_patient ? time_for_answer(kind) : Span();
    if (wait.all) timeout = std::clamp(Span::nanos(end - monotonic_ns_now()), Span(), timeout);
    Sent sent;
    Status status;
    if (entry.state == CommandState::given) {
      auto pool = LocatedPool::of_command(entry.directory, entry.command_id);
      if (!pool) return pool.status();
      sent.ids.push_back(entry.command_id);
      sent.pools.push_back(pool.take());
    } else {
      status = post(entry, sent);
    }
    if (status.is_ok()) status = answer(entry, sent, timeout, wait.is_interrupted);
    if (!status) return with_given(named(std::move(status), entry, each), batch, {plan->data(), i});
    if (entry.state == CommandState::given && kind == Wait::answer) is_patient = false;
    if (entry.state == CommandState::given && wait.is_interrupted && wait.is_interrupted()) {
      return Status::error(Code::timeout, "interrupted");
    }
  }
  return Status::ok();
}

}  // namespace tide
