#include "control/pool_locator.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/nearest.hpp"
#include "base/owned_id.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "os/clock.hpp"
#include "policy/settings.hpp"
#include "segment/directory.hpp"
#include "segment/local_pools.hpp"
#include "segment/mailbox_sender.hpp"

namespace tide {
namespace {

constexpr size_t kListedMax = 20;
constexpr Span kFirstPause = Span::millis(1);
constexpr Span kLongestPause = Span::millis(20);
constexpr int kAbsentLooksMax = 5;  // a record is not readable while it is being written

std::string listed(const std::vector<std::string>& entries, size_t count) {
  std::string out;
  for (const std::string& entry : entries) out.append(out.empty() ? "" : ", ").append(entry);
  return count > entries.size() ? out + " and " + std::to_string(count - entries.size()) + " more" : out;
}

Status unknown_pool(std::string_view typed, const std::set<std::string>& names, const std::string& directory,
                    size_t hidden) {
  const std::string unreadable =
      hidden == 0 ? "" : "; " + std::to_string(hidden) + " segments there cannot be read by this user or this version";
  if (names.empty()) {
    return Status::error(Code::not_found, "no pool " + in_quotes(typed),
                         "there are no pools in " + directory + unreadable,
                         "check TIDEPOOL_DIR and the permissions of the directory");
  }
  std::vector<std::string_view> known(names.begin(), names.end());
  std::vector<std::string> first;
  for (const std::string& name : names) {
    if (first.size() < kListedMax) first.push_back(name);
  }
  return Status::error(Code::not_found, "no pool " + in_quotes(typed),
                       "pools: " + listed(first, names.size()) + unreadable, did_you_mean(typed, known));
}

const format::CommandRecord* record_of(const std::vector<format::CommandRecord>& commands, uint64_t command_id) {
  const auto found = std::find_if(commands.rbegin(), commands.rend(), [&](const format::CommandRecord& command) {
    return command.command_id == command_id;
  });
  return found == commands.rend() ? nullptr : &*found;
}

// The status that corresponds to an answer; nothing while the command is in progress.
std::optional<Status> outcome_of(const format::CommandRecord& command, const std::string& pool) {
  const std::string which = pool + ", command " + std::to_string(command.command_id);
  switch (static_cast<CommandStatus>(command.status)) {
    case CommandStatus::applied: return Status::ok();
    case CommandStatus::refused:
      return Status::error(Code::refused,
                           command.message.empty() ? which + " was refused" : clean_text(command.message), which);
    case CommandStatus::expired:
      return Status::error(Code::refused, command.message.empty() ? which + " expired" : clean_text(command.message),
                           which, "issue the command again");
    case CommandStatus::queued: break;
  }
  return std::nullopt;
}

}  // namespace

// Until visit() returns false. Pools of this process first. Returns how many segments could not be read.
size_t LocatedPool::for_each(const std::string& directory, const Visit& visit) {
  size_t hidden = 0;
  std::set<std::string> seen;
  for (const LocalPool& own : local_pools().list()) {
    Descriptor copy = Descriptor::copy_of(own.segment_fd);
    if (!copy.is_open()) continue;
    auto segment = Attachment::from_fd(copy.get());
    // The pool may have been closed in the meantime, and its descriptor reused.
    if (!segment || segment->header().instance_id != own.instance_id) continue;
    seen.insert(own.instance_id);
    LocatedPool pool(segment.take(), std::move(copy));
    if (!visit(pool)) return hidden;
  }
  for (const std::string& path : list_segments(directory)) {
    auto segment = Attachment::open(path);
    if (!segment) {
      ++hidden;
      continue;
    }
    if (!is_home_of(path, segment->header().pool, segment->header().instance_id)) continue;
    // A pool that is listed as local but has a file was visited above.
    if (!seen.insert(segment->header().instance_id).second) continue;
    LocatedPool pool(segment.take(), Descriptor());
    if (!visit(pool)) return hidden;
  }
  return hidden;
}

Liveness LocatedPool::liveness() const {
  if (!local_.is_open()) return segment_.liveness();
  // Private memory stays readable after its pool has closed, as long as the descriptor is open here; the engine knows
  // the state.
  for (const LocalPool& own : local_pools().list()) {
    if (own.instance_id == segment_.header().instance_id) return Liveness::alive;
  }
  return Liveness::dead;
}

Result<LocatedPool> LocatedPool::find(const std::string& directory, std::string_view pool_or_instance) {
  // Pools of one liveness that have the name.
  struct NamedPools {
    size_t count = 0;
    std::vector<std::string> shown;  // the first few
    std::vector<LocatedPool> first;
  };
  std::set<std::string> names;
  NamedPools alive;
  NamedPools stale;  // asked only if no pool is alive: a stopped process may continue
  std::optional<HeaderCopy> dead;
  const size_t hidden = for_each(directory, [&](LocatedPool& pool) {
    const HeaderCopy& header = pool.segment_.header();
    const Liveness life = pool.liveness();
    if (life != Liveness::dead) names.insert(header.pool);
    if (header.pool != pool_or_instance && header.instance_id != pool_or_instance) return true;
    if (life == Liveness::dead) {
      dead = header;
      return true;
    }
    NamedPools& pools_of_name = life == Liveness::alive ? alive : stale;
    ++pools_of_name.count;
    if (pools_of_name.shown.size() < kListedMax) {
      pools_of_name.shown.push_back(header.instance_id + " (pid " + std::to_string(header.pid) + ", " + header.app +
                                    ")");
    }
    if (pools_of_name.first.empty()) pools_of_name.first.push_back(std::move(pool));
    return true;
  });
  NamedPools& meant = alive.count != 0 ? alive : stale;
  if (meant.count > 1) {
    return Status::error(Code::bad_argument,
                         std::to_string(meant.count) + " pools are named " + in_quotes(pool_or_instance),
                         listed(meant.shown, meant.count), "specify the instance_id instead of the name");
  }
  if (meant.count == 1) return std::move(meant.first.front());
  if (dead) {
    return Status::error(Code::refused, "pool " + in_quotes(dead->pool) + " is dead: its process has exited",
                         "instance " + dead->instance_id + ", pid " + std::to_string(dead->pid) + ", " + dead->app,
                         "its segment is removed when a pool with this name is opened again");
  }
  return unknown_pool(pool_or_instance, names, directory, hidden);
}

Result<LocatedPool> LocatedPool::of_command(const std::string& directory, uint64_t command_id) {
  std::vector<LocatedPool> found;
  bool is_sure = false;
  for_each(directory, [&](LocatedPool& pool) {
    if (pool.segment_.header().owner != owner_of(command_id)) return true;
    // Two pools with the same bits are rare, but segments may also be forged.
    const auto commands = pool.segment_.read_commands();
    is_sure = record_of(commands, command_id) != nullptr;
    if (is_sure || (found.empty() || found.front().liveness() == Liveness::dead)) {
      found.clear();
      found.push_back(std::move(pool));
    }
    return !is_sure;
  });
  if (!found.empty()) return std::move(found.front());
  return Status::error(Code::not_found, "no pool has a command " + std::to_string(command_id),
                       "looked in " + directory + " and in this process", "results of closed pools are not available");
}

std::vector<LocatedPool> LocatedPool::living(const std::string& directory) {
  std::vector<LocatedPool> found;
  for_each(directory, [&](LocatedPool& pool) {
    if (pool.liveness() != Liveness::dead) found.push_back(std::move(pool));
    return true;
  });
  return found;
}

Result<LocatedPool> LocatedPool::of_slot(const std::string& directory, const std::string& what,
                                         const std::string& relation, const Has& has) {
  std::vector<LocatedPool> found;
  std::vector<std::string> shown;
  for (LocatedPool& pool : living(directory)) {
    const auto slots = pool.segment_.read_slots();
    if (std::none_of(slots.begin(), slots.end(), has)) continue;
    shown.push_back(pool.segment_.header().instance_id + " " + pool.segment_.header().pool);
    found.push_back(std::move(pool));
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.empty()) {
    return Status::error(Code::not_found, "no pool of this host has " + what, "", "`" + relation + "` lists them");
  }
  return Status::error(Code::bad_argument, what + " exists in " + std::to_string(found.size()) + " instances",
                       "they are " + listed(shown, shown.size()), "specify the pool's name or instance_id too");
}

Result<LocatedPool> LocatedPool::of_alert(const std::string& directory, uint64_t alert_id) {
  std::vector<LocatedPool> found;
  std::string dead;
  bool is_sure = false;
  for_each(directory, [&](LocatedPool& pool) {
    if (pool.segment_.header().owner != owner_of(alert_id)) return true;
    if (pool.liveness() == Liveness::dead) {
      dead = pool.name();
      return true;
    }
    const auto alerts = pool.segment_.read_alerts();
    is_sure =
        std::any_of(alerts.begin(), alerts.end(), [&](const format::AlertRecord& a) { return a.alert_id == alert_id; });
    if (is_sure || found.empty()) {
      found.clear();
      found.push_back(std::move(pool));
    }
    return !is_sure;
  });
  if (!found.empty()) return std::move(found.front());
  const std::string which = "alert " + std::to_string(alert_id);
  if (!dead.empty()) {
    return Status::error(Code::refused, which + " is of " + dead + ", which is dead: its process has exited", "",
                         "its process has exited");
  }
  return Status::error(Code::not_found, "no pool has an " + which, "looked in " + directory + " and in this process",
                       "`alerts` lists them");
}

Result<std::vector<LocatedPool>> LocatedPool::for_command(const std::string& directory,
                                                          const std::optional<std::string>& pool_or_instance,
                                                          const Command& command) {
  const auto the_one = [&]() -> Result<LocatedPool> {
    if (pool_or_instance) return find(directory, *pool_or_instance);
    const auto id = [&](std::string_view argument) { return static_cast<uint64_t>(*command.whole(argument)); };
    switch (about(command.verb()).sent_to) {
      case SentTo::connection:
        return of_slot(directory, "conn_id " + std::to_string(id("conn_id")), "connections", [&](const SlotCopy& slot) {
          return slot.conn_id == id("conn_id") && slot.word.state() != SlotState::empty;
        });
      case SentTo::lease:
        return of_slot(directory, "lease_id " + std::to_string(id("lease_id")), "leases", [&](const SlotCopy& slot) {
          return slot.word.state() == SlotState::leased &&
                 LeaseId(slot.index, slot.word.generation()).bits == id("lease_id");
        });
      case SentTo::alert: return of_alert(directory, id("alert_id"));
      case SentTo::pool:
      case SentTo::every_pool: break;
    }
    return Status::error(Code::bad_argument, "pool_or_instance is missing", "accepted: a pool's name or an instance_id",
                         "see `pools`");
  };
  if (!pool_or_instance && about(command.verb()).sent_to == SentTo::every_pool) return living(directory);
  auto found = the_one();
  if (!found) return found.status();
  std::vector<LocatedPool> pools;
  pools.push_back(found.take());
  return pools;
}

Status LocatedPool::check(const Command& command) const {
  if (command.verb() == Verb::set) {
    Policy changed;
    const auto set = set_option(changed, *command.text("option"), *command.text("value"), segment_.header().slots);
    if (!set) return set.status();
  }
  return !local_.is_open() ? check_mailbox(segment_) : Status::ok();
}

Result<uint64_t> LocatedPool::post(const Command& command) const {
  // No secret is written into a mailbox, where it would stay for a while, only to be refused by the pool.
  if (command.verb() == Verb::set && is_secret_name(*command.text("option"))) {
    if (Status possible = check(command); !possible) return possible;
  }
  const std::string arguments = command.arguments_json();
  if (!local_.is_open()) return post_command(segment_, command.name(), arguments, command.actor);
  const uint64_t command_id =
      local_pools().post(segment_.header().instance_id, std::string(command.name()), arguments, command.actor);
  if (command_id != 0) return command_id;
  return Status::error(Code::refused, name() + " was closed in the meantime",
                       "instance " + segment_.header().instance_id);
}

// For a command without a record: was it posted, as far as this user can read?
bool LocatedPool::may_be_unanswered(uint64_t command_id, const std::vector<format::CommandRecord>& commands) const {
  if (!local_.is_open() && ::access(mailbox_path_of(segment_.path()).c_str(), R_OK) == 0) {
    return record_of(read_posted_commands(segment_), command_id) != nullptr;
  }
  // Answers come in the order of the numbers, so a later answer means that this one was due earlier.
  return std::none_of(commands.begin(), commands.end(), [&](const format::CommandRecord& command) {
    return owner_of(command.command_id) == owner_of(command_id) && command.command_id > command_id;
  });
}

Status LocatedPool::wait(uint64_t command_id, Span timeout, bool is_known_posted,
                         const IsInterrupted& is_interrupted) const {
  const std::string which = "command " + std::to_string(command_id);
  const int64_t give_up = monotonic_ns_now() + timeout.ns();
  Span pause = kFirstPause;
  int absent_looks = 0;
  for (;;) {
    // Liveness is read before the answer: an owner may answer and exit between the two reads, but not the other way
    // round.
    const Liveness life = liveness();
    const auto commands = segment_.read_commands();
    const format::CommandRecord* record = record_of(commands, command_id);
    if (record != nullptr) {
      if (auto outcome = outcome_of(*record, name())) return *outcome;
    }
    if (life == Liveness::dead) {
      return Status::error(Code::refused, name() + " exited before executing the command", which,
                           "the pool closed or its process ended; the command will not be applied");
    }
    if (record != nullptr || is_known_posted) {
      absent_looks = 0;
    } else {
      absent_looks = may_be_unanswered(command_id, commands) ? 0 : absent_looks + 1;
      if (absent_looks >= kAbsentLooksMax) {
        return Status::error(Code::not_found, name() + " has no " + which,
                             "it was never posted, or its result has been overwritten",
                             "`commands` shows the last commands");
      }
    }
    const Span left = Span::nanos(give_up - monotonic_ns_now());
    // A command that is not found is looked up several times even without a timeout, to distinguish "not found" from
    // "not yet".
    if ((left <= Span{} && absent_looks == 0) || (is_interrupted && is_interrupted())) {
      const std::string waited = timeout.is_zero() ? "" : " after " + describe_span(timeout);
      const std::string state = record != nullptr ? "is in progress" : "has not been answered yet";
      return Status::error(Code::timeout, which + " to " + name() + " " + state + waited,
                           life == Liveness::stale ? "the pool has not updated its state for 5 s"
                                                   : "it is posted and may still be applied",
                           "see `commands`, or wait with tide_wait_applied(); do not issue it again");
    }
    pause_for(left > Span{} ? std::min(pause, left) : kFirstPause);
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace tide
