#include "opening.hpp"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <utility>

#include "base/text.hpp"
#include "callbacks.hpp"
#include "closing.hpp"
#include "driver/sqlite/connector.hpp"
#include "drivers.hpp"
#include "handles.hpp"
#include "home.hpp"
#include "notify/log_line.hpp"
#include "notify/log_writer.hpp"
#include "notify/webhook.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"
#include "policy/parse.hpp"
#include "policy/replica_targets.hpp"
#include "pool/keeper.hpp"
#include "segment/directory.hpp"
#include "service/replicas.hpp"
#include "service/service.hpp"
#include "surroundings.hpp"
#include "unlisted_pool.hpp"

namespace tide {
namespace {

constexpr Span kFirstTimeout = Span::millis(100);    // for connections that open immediately
constexpr Span kCallbackTimeout = Span::seconds(1);  // after the deadline and the keeper's end

std::string host_name() {
  char host[65] = {};
  return gethostname(host, sizeof host - 1) == 0 ? host : "";
}

// As far as it can be measured: that of the cgroup, else that of the machine.
int64_t memory_limit() {
  const double limit = SystemProbe().sample(0).memory_limit_bytes;
  return limit > 0 && limit < 1e18 ? static_cast<int64_t>(limit) : 0;
}

uint64_t fresh_seed() {
  uint64_t seed = 0;
  return getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed) ? seed : 1;
}

// Between two attempts a call waits no longer than the pool is open.
ServiceNeeds service_needs(uint64_t handle) {
  static constexpr Span kLook = Span::millis(10);
  ServiceNeeds needs;
  needs.seed = fresh_seed();
  needs.pause = [&entry = Handles::entry_of(handle)](Span span) {
    const Instant end = SystemClock::instance().now() + span;
    while (!entry.is_closing.load(std::memory_order_acquire)) {
      const Span left = end - SystemClock::instance().now();
      if (left <= Span{}) return;
      pause_for(std::min(left, kLook));
    }
  };
  return needs;
}

// The sink owns the callbacks while the pool exists, even if no events are wanted.
EventSink sink_of(const tide_pool_options& options, const std::shared_ptr<Callbacks>& callbacks) {
  EventSink sink;
  if (options.on_event != nullptr) sink.mask = options.event_mask;
  sink.call = [callbacks](PoolEvent kind, uint64_t conn_id, uint64_t lease_id, const char* text) {
    callbacks->tell_event(kind, conn_id, lease_id, text);
  };
  sink.take_dropped = [&own = *callbacks] { return own.take_dropped(); };
  return sink;
}

// A place for a pool, released unless it is used.
class Reservation {
 public:
  Reservation() : handle_(Handles::instance().reserve()) {}
  ~Reservation() {
    if (handle_ != 0) Handles::instance().cancel(handle_);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  uint64_t handle() const { return handle_; }
  uint64_t use() { return std::exchange(handle_, 0); }

 private:
  uint64_t handle_;
};

// Implements init_mode=fail_fast: waits until the pool is usable, or returns the reason why it is not.
Status wait_until_started(Pool& pool, const Policy& policy) {
  const Instant give_up = pool.clock().now() + policy.init_timeout;
  for (;;) {
    const Span next = pool.keeper().step();
    if (pool.keeper().is_started()) return Status::ok();
    if (const Status& failure = pool.keeper().start_failure(); !failure) return failure;
    const Span left = give_up - pool.clock().now();
    if (left <= Span{}) break;
    wait_for_keeper(pool.keeper(), std::min(next, left));
  }
  Status why = pool.explain(Code::timeout, policy.init_timeout);
  why.text().message = "pool \"" + pool.name() + "\" did not reach min_size within init_timeout; " + why.message();
  return why;
}

// Without a network, connections open within moments: callers that never wait should find them.
void wait_for_the_first(Pool& pool, Backend backend) {
  const Instant give_up = pool.clock().now() + kFirstTimeout;
  for (;;) {
    const Span next = pool.keeper().step();
    if (backend == Backend::postgresql || pool.keeper().has_begun()) return;
    const Span left = give_up - pool.clock().now();
    if (left <= Span{}) return;
    wait_for_keeper(pool.keeper(), std::min(next, left));
  }
}

void close_quietly(Pool& pool) {
  pool.keeper().begin_close(pool.clock().now());
  while (!pool.keeper().is_closed()) wait_for_keeper(pool.keeper(), step_or_pause(pool.keeper()));
}

void note_defects(const ParsedOptions& parsed, std::vector<SettingNote>& notes) {
  if (parsed.target.backend != Backend::sqlite) return;
  std::string defect = known_sqlite_defect(parsed.target.connect_text, parsed.policy);
  if (!defect.empty()) notes.push_back({"sqlite_journal_mode", std::move(defect)});
}

// A pool that is to be opened: alone, or as a member of a group.
struct Member {
  Member(const char* pool_name, const tide_pool_options& wanted) : name(pool_name), options(wanted) {}

  Status prepare(const Policy& of) {
    policy = of;
    if (place.handle() == 0) {
      return Status::error(Code::refused, "too many pools are open in this process",
                           "accepted: up to " + std::to_string(kPoolsMax), "close pools that are no longer needed");
    }
    if (Status writable = LogWriter(policy.log_destination).check(); !writable) return writable;
    if (Status possible = prepare_webhook(); !possible) return possible;
    callbacks = std::make_shared<Callbacks>(options, place.handle(), name, policy.log_destination);
    return Status::ok();
  }
  Status prepare_webhook() {
    if (policy.notify_webhook_url.empty()) return Status::ok();
    if (options.is_hosted != 0) {
      return Status::error(
          Code::bad_option, "option \"notify_webhook_url\" is not supported by hosted pools",
          "Alerts are delivered by a thread, which a database server must not have.",
          "Alerts are written to the server log; to forward them, set tidepool.database, and LISTEN tidepool_alerts "
          "there.");
    }
    const ForkPause pause;
    return Webhook::check(policy);
  }
  std::string application() const { return app + "/" + name; }

  std::string name;
  tide_pool_options options;
  std::string app = options.app != nullptr ? options.app : program_invocation_short_name;
  Reservation place;
  std::shared_ptr<Callbacks> callbacks;
  std::shared_ptr<Webhook> webhook;  // nullptr: none
  Target target;
  Policy policy;
  TargetRole role = TargetRole::single;
  std::string group;
  std::unique_ptr<TargetProbe> probe;  // nullptr: alone
};

void make_webhook(Member& member, PoolSpec& spec) {
  if (member.policy.notify_webhook_url.empty()) return;
  Sender sender{spec.name, spec.app, spec.host, "", spec.version};
  member.webhook = std::make_shared<Webhook>(member.policy, std::move(sender), fresh_seed(), SystemClock::instance());
  spec.alerts = [webhook = member.webhook](AlertChange change) { webhook->put(std::move(change)); };
}

PoolSpec spec_of(Member& member, const ParsedOptions& parsed) {
  PoolSpec spec;
  spec.name = member.name;
  spec.app = member.app;
  spec.is_hosted = member.options.is_hosted != 0;
  spec.host = host_name();
  spec.version = TIDE_VERSION_TEXT;
  spec.target = member.target;
  spec.policy = member.policy;
  spec.sources = parsed.sources;
  spec.notes = parsed.notes;
  note_defects(parsed, spec.notes);
  spec.directory = resolve_directory(member.policy.dir);
  spec.role = member.role;
  spec.group = member.group;
  spec.seed = fresh_seed();
  spec.events = sink_of(member.options, member.callbacks);
  spec.probe = std::make_shared<SystemProbe>();
  spec.log = [callbacks = member.callbacks, pool = member.name](const LogFact& fact, LogFormat format) {
    callbacks->log(log_line(fact, pool, format), fact.severity);
  };
  spec.pool_key = Handles::pool_key(member.place.handle());
  make_webhook(member, spec);
  return spec;
}

ServiceNeeds needs_of(const Member& member) {
  ServiceNeeds needs = service_needs(member.place.handle());
  needs.listening.make_port = make_listening(member.target, member.application(), member.callbacks);
  needs.listening.call_program = [callbacks = member.callbacks](std::function<void()> call) {
    callbacks->tell_subscriber(std::move(call));
  };
  needs.listening.policy = member.policy;
  if (member.role != TargetRole::replica) needs.cache_channel = member.policy.query_cache_channel;
  needs.listening.seed = fresh_seed();
  return needs;
}

// The webhook of a pool that is being opened: ended before the pool, if that fails.
class ServedWebhook {
 public:
  ServedWebhook(std::shared_ptr<Webhook> webhook, Pool& pool) : webhook_(std::move(webhook)) {
    if (webhook_ != nullptr) webhook_->serve(pool);
  }
  ~ServedWebhook() {
    if (webhook_ != nullptr) webhook_->finish(SystemClock::instance().now());
  }
  ServedWebhook(const ServedWebhook&) = delete;
  ServedWebhook& operator=(const ServedWebhook&) = delete;
  // The sink of the pool's alerts owns it.
  Webhook* keep() { return std::exchange(webhook_, nullptr).get(); }

 private:
  std::shared_ptr<Webhook> webhook_;
};

// `replicas`: of a primary; they are open.
Result<uint64_t> open_member(Member& member, const ParsedOptions& parsed, std::vector<Replicas::Member> replicas) {
  std::optional<UnlistedPool> made;
  {
    const ForkPause pause;
    auto connector = make_connector(member.target, member.policy, SystemClock::instance(), member.application(),
                                    member.callbacks, member.place.handle(), member.role);
    if (!connector) return connector.take_status();
    auto opened = Pool::open(spec_of(member, parsed), connector.take(), SystemClock::instance());
    if (!opened) return opened.take_status();
    made.emplace(member.place.handle(), opened.take());
  }
  UnlistedPool& pool = *made;
  ServedWebhook webhook(member.webhook, *pool);
  wait_for_the_first(*pool, member.target.backend);
  if (member.policy.init_mode == InitMode::fail_fast) {
    if (Status failure = wait_until_started(*pool, member.policy); !failure) {
      close_quietly(*pool);
      if (!member.callbacks->finish(pool->clock().now() + kCallbackTimeout)) {
        failure.text().detail += failure.detail().empty() ? "" : "; ";
        failure.text().detail += "the credential callback has not returned; its context is still in use";
      }
      return failure;
    }
  }
  Handles::Made whole;
  whole.is_replica = member.role == TargetRole::replica;
  whole.service = std::make_unique<Service>(*pool, needs_of(member));
  try {
    if (member.role == TargetRole::primary) {
      Replicas::Member primary{&*pool, member.place.handle(), std::move(member.probe)};
      replicas.insert(replicas.begin(), std::move(primary));
      whole.replicas = std::make_unique<Replicas>(std::move(replicas));
      whole.service->set_replicas(whole.replicas.get());
    }
    if (member.options.foreign_loop == 0) {
      member.callbacks->relieve(pool->keeper());
      whole.thread = std::make_unique<ThreadKeeper>(pool->keeper());
    } else {
      member.callbacks->serve_loop(pool->keeper());
    }
    pool->start_saving();
  } catch (...) {
    whole.replicas.reset();
    close_quietly(*pool);
    throw;
  }
  const uint64_t handle = member.place.use();
  whole.pool = pool.take();
  Handles::instance().publish(handle, std::move(whole), *member.callbacks, webhook.keep());
  if (const Door door(Handles::handle_of(handle)); door) door.service().start();
  lend_private_pools();
  return handle;
}

// Replicas are closed again if their primary cannot be opened.
class OpenedReplicas {
 public:
  ~OpenedReplicas() {
    for (const uint64_t handle : handles_) (void)close_opened(handle, Span{});
  }
  OpenedReplicas() = default;
  OpenedReplicas(const OpenedReplicas&) = delete;
  OpenedReplicas& operator=(const OpenedReplicas&) = delete;
  void add(uint64_t handle) { handles_.push_back(handle); }
  void keep() { handles_.clear(); }

 private:
  std::vector<uint64_t> handles_;
};

constexpr Span kSurveyMax = Span::seconds(2);

Status check_replica_names(const char* name, size_t replicas) {
  const std::string longest = std::string(name) + ".replica" + std::to_string(replicas);
  if (longest.size() <= FixedText<64>::kBytesMax) return Status::ok();
  return Status::error(Code::bad_argument, "name " + in_quotes(name) + " is too long for a pool with replicas",
                       "their pools get names such as " + in_quotes(longest) + ", of at most 62 bytes",
                       "choose a shorter name");
}

// Events of replicas would be reported by threads that a program with its own loop does not expect.
tide_pool_options options_of_replica(tide_pool_options options) {
  if (options.foreign_loop != 0) options.on_event = nullptr;
  options.foreign_loop = 0;
  return options;
}

// `ending` of its name.
Policy policy_of_replica(const Policy& of, const std::string& ending) {
  Policy policy = of;
  policy.replica_url.clear();
  if (!policy.history_file.empty()) policy.history_file += ending;
  if (policy.init_mode == InitMode::fail_fast) policy.init_mode = InitMode::eager;  // reads have the primary too
  return policy;
}

// Asks all of them which role they have, and puts the primary first.
Status order_members(std::vector<std::unique_ptr<Member>>& members, bool is_order_open, Span timeout) {
  std::vector<std::unique_ptr<TargetProbe>> probes;
  std::vector<std::string> shown;
  for (const auto& member : members) {
    probes.push_back(std::move(member->probe));
    shown.push_back(member->target.shown);
  }
  std::vector<std::optional<TargetReport>> reports = survey_group(probes, timeout);
  if (const size_t primary = is_order_open ? actual_primary(reports) : 0; primary != 0) {
    std::swap(probes[0], probes[primary]);
    std::swap(shown[0], shown[primary]);
    std::swap(reports[0], reports[primary]);
    std::swap(members[0]->target, members[primary]->target);
  }
  for (size_t i = 0; i < members.size(); ++i) members[i]->probe = std::move(probes[i]);
  return check_group(reports, shown);
}

Result<uint64_t> open_group(const char* name, const ParsedOptions& parsed, const tide_pool_options& options,
                            std::vector<Target> replicas) {
  if (options.is_hosted != 0) {
    return Status::error(Code::bad_option, "option \"replica_url\" is not supported by hosted pools",
                         "The replicas of a group are watched by threads, which a database server must not have.",
                         "Create a server for each replica.");
  }
  if (Status named = check_replica_names(name, replicas.size()); !named) return named;
  replicas.insert(replicas.begin(), parsed.target);
  std::vector<std::unique_ptr<Member>> members;
  for (size_t i = 0; i < replicas.size(); ++i) {
    const bool is_primary = i == 0;
    const std::string ending = is_primary ? "" : ".replica" + std::to_string(i);
    const std::string own_name = name + ending;
    members.push_back(std::make_unique<Member>(own_name.c_str(), is_primary ? options : options_of_replica(options)));
    Member& member = *members.back();
    member.target = std::move(replicas[i]);
    member.role = is_primary ? TargetRole::primary : TargetRole::replica;
    member.group = name;
    Status ready = member.prepare(is_primary ? parsed.policy : policy_of_replica(parsed.policy, ending));
    if (!ready) return ready;
    if (!is_primary) member.callbacks->ask_in_turn_with(*members.front()->callbacks);
    member.probe = make_probe(member.target, member.policy, SystemClock::instance(), member.application() + "/probe",
                              member.callbacks, member.role);
  }
  const bool is_list = parsed.sources[place_of(*find_setting("replica_url"))] == SettingSource::url;
  if (Status ordered = order_members(members, is_list, std::min(parsed.policy.connect_timeout, kSurveyMax)); !ordered) {
    return ordered;
  }
  OpenedReplicas opened;
  std::vector<Replicas::Member> open;
  for (size_t i = 1; i < members.size(); ++i) {
    Result<uint64_t> handle = open_member(*members[i], parsed, {});
    if (!handle) return handle;
    opened.add(*handle);
    open.push_back({Handles::entry_of(*handle).pool, *handle, std::move(members[i]->probe)});
  }
  Result<uint64_t> primary = open_member(*members[0], parsed, std::move(open));
  if (primary) opened.keep();
  return primary;
}

}  // namespace

Status check_pool_name(const char* name) {
  constexpr size_t kNameBytesMax = FixedText<64>::kBytesMax;
  const std::string_view text =
      name == nullptr ? std::string_view{} : std::string_view(name, strnlen(name, kNameBytesMax + 1));
  const bool is_good =
      !text.empty() && text.size() <= kNameBytesMax && text.front() != '.' &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == text.npos;
  if (is_good) return Status::ok();
  return Status::error(
      Code::bad_argument, name == nullptr ? "name is NULL" : "name " + in_quotes(text) + " is not a valid pool name",
      "accepted: 1 to 62 letters, digits, '_', '-' or '.', not beginning with '.'", "such as \"app\" or \"orders-ro\"");
}

Result<tide_pool*> open_pool(const char* name, const char* url, const char* words, const tide_pool_options& options,
                             const std::string& shared) {
  if (Status named = check_pool_name(name); !named) return named;
  const std::vector<std::string> schemes = registered_schemes();
  Environment environment = process_environment();
  environment.memory_limit = memory_limit;
  auto parsed = parse_options(url == nullptr ? "" : url, words == nullptr ? "" : words, schemes, environment, shared);
  if (!parsed) return parsed.take_status();
  auto replicas = parse_replicas(parsed->target.backend == Backend::postgresql ? parsed->policy.replica_url : "");
  if (!replicas) return replicas.take_status();
  if (!replicas->empty()) {
    Result<uint64_t> opened = open_group(name, *parsed, options, replicas.take());
    if (!opened) return opened.take_status();
    return Handles::handle_of(*opened);
  }
  Member alone(name, options);
  if (Status ready = alone.prepare(parsed->policy); !ready) return ready;
  alone.target = parsed->target;
  Result<uint64_t> opened = open_member(alone, *parsed, {});
  if (!opened) return opened.take_status();
  return Handles::handle_of(*opened);
}

}  // namespace tide
