#include "opening.hpp"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "drivers.hpp"
#include "handles.hpp"
#include "home.hpp"
#include "plane/directory.hpp"
#include "policy/parse.hpp"
#include "pool/keeper.hpp"
#include "pool/system_probe.hpp"

namespace tide {
namespace {

constexpr Span kWithdrawPatience = Span::seconds(5);

Status check_name(const char* name) {
  constexpr size_t kNameBytesMax = FixedText<64>::kBytesMax;
  const std::string_view text =
      name == nullptr ? std::string_view{} : std::string_view(name, strnlen(name, kNameBytesMax + 1));
  const bool is_good =
      !text.empty() && text.size() <= kNameBytesMax && text.front() != '.' &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == text.npos;
  if (is_good) return Status::ok();
  return Status::error(
      Code::bad_argument, name == nullptr ? "name is NULL" : "name \"" + std::string(text) + "\" cannot name a pool",
      "accepted: 1 to 62 letters, digits, '_', '-' or '.', not beginning with '.'", "such as \"app\" or \"orders-ro\"");
}

std::string host_name() {
  char host[65] = {};
  return gethostname(host, sizeof host - 1) == 0 ? host : "";
}

uint64_t fresh_seed() {
  uint64_t seed = 0;
  return getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed) ? seed : 1;
}

EventSink sink_of(const tide_pool_options& options, const std::string& name) {
  EventSink sink;
  if (options.on_event == nullptr) return sink;
  sink.mask = options.event_mask;
  sink.call = [call = options.on_event, context = options.event_context, name](PoolEvent kind, uint64_t conn_id,
                                                                               uint64_t lease_id, const char* text) {
    const tide_event event{
        static_cast<uint32_t>(sizeof(tide_event)), static_cast<int32_t>(kind), conn_id, lease_id, name.c_str(), text};
    call(context, &event);
  };
  return sink;
}

// What init_mode=fail_fast promises: usable when open() returns, or the reason why not.
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
  why.message = "pool \"" + pool.name() + "\" did not reach min_size within init_timeout; " + why.message;
  return why;
}

void close_quietly(Pool& pool) {
  pool.keeper().begin_close(pool.clock().now());
  while (!pool.keeper().is_closed()) wait_for_keeper(pool.keeper(), pool.keeper().step());
}

}  // namespace

Result<tide_pool*> open_pool(const char* name, const char* url, const char* words, const tide_pool_options& options) {
  if (Status named = check_name(name); !named) return named;
  const std::vector<std::string> schemes = registered_schemes();
  auto parsed = parse_options(url == nullptr ? "" : url, words == nullptr ? "" : words, schemes,
                              [](const char* variable) { return std::getenv(variable); });
  if (!parsed) return parsed.take_status();
  const std::string app = options.app != nullptr ? options.app : program_invocation_short_name;
  auto connector = make_connector(parsed->target, parsed->policy, SystemClock::instance(), app + "/" + name, options);
  if (!connector) return connector.take_status();

  PoolSpec spec;
  spec.name = name;
  spec.app = app;
  spec.is_hosted = options.is_hosted != 0;
  spec.host = host_name();
  spec.version = TIDE_VERSION_TEXT;
  spec.target = parsed->target;
  spec.policy = parsed->policy;
  spec.sources = parsed->sources;
  spec.directory = resolve_directory(parsed->policy.plane_dir);
  spec.seed = fresh_seed();
  spec.events = sink_of(options, spec.name);
  spec.probe = std::make_shared<SystemProbe>();
  spec.log = [](const std::string& line) { std::fputs((line + "\n").c_str(), stderr); };
  Handles& handles = Handles::instance();
  const uint64_t handle = handles.reserve();
  if (handle == 0) {
    return Status::error(Code::refused, "too many pools are open in this process",
                         "accepted: up to " + std::to_string(kPoolsMax), "close pools that are not needed any more");
  }
  spec.pool_key = Handles::pool_key(handle);

  Status failure;
  try {
    auto opened = Pool::open(std::move(spec), connector.take(), SystemClock::instance());
    if (opened) {
      std::unique_ptr<Pool> pool = opened.take();
      pool->keeper().step();
      if (parsed->policy.init_mode == InitMode::fail_fast) failure = wait_until_started(*pool, parsed->policy);
      if (failure) {
        std::unique_ptr<ThreadKeeper> thread;
        if (options.foreign_loop == 0) thread = std::make_unique<ThreadKeeper>(pool->keeper());
        handles.publish(handle, std::move(pool), std::move(thread));
        lend_private_pools();
        return Handles::handle_of(handle);
      }
      close_quietly(*pool);
    } else {
      failure = opened.take_status();
    }
  } catch (...) {
    handles.cancel(handle);
    throw;
  }
  handles.cancel(handle);
  return failure;
}

Status close_pool(tide_pool* pool, std::optional<Span> timeout) {
  const uint64_t handle = Handles::number_of(pool);
  Handles& handles = Handles::instance();
  if (!Handles::is_well_formed(handle)) return no_entry(Code::bad_argument);
  PoolEntry& entry = handles.entry_of(handle);
  if (Presence::am_i_in(Handles::pool_key(handle))) {
    return Status::error(Code::bad_argument, "a pool cannot be closed from its own callback", "",
                         "close it from another thread");
  }
  {
    const Door door(pool);
    if (!door) return no_entry(door.code());
    if (entry.is_closing.exchange(true)) return no_entry(Code::closed);
  }
  // From here on this thread alone owns the pool's end.
  Pool& own = *entry.pool;
  const Instant deadline = own.clock().now() + timeout.value_or(own.keeper().policy().shutdown_timeout);
  if (entry.thread != nullptr) {
    entry.thread->close(deadline);
  } else {
    const std::lock_guard lock(entry.step_mutex);
    own.keeper().begin_close(deadline);
    while (!own.keeper().is_closed()) wait_for_keeper(own.keeper(), own.keeper().step());
  }
  const bool had_to_revoke = own.keeper().had_to_revoke();
  const std::string name = own.name();
  std::unique_ptr<Pool> last_owner(&own);
  const std::unique_ptr<ThreadKeeper> thread(entry.thread);
  const bool is_everyone_out = handles.withdraw(entry, kWithdrawPatience);
  if (!is_everyone_out) (void)last_owner.release();  // somebody is stuck inside a callback: memory for safety
  last_owner.reset();
  handles.retire(entry);
  if (!had_to_revoke && is_everyone_out) return Status::ok();
  return Status::error(Code::timeout, "pool \"" + name + "\" is closed, but leases had to be taken away",
                       "not all were released within the time given",
                       "release leases before closing, or give more time");
}

Status close_all_pools(std::optional<Span> timeout) {
  std::vector<std::thread> threads;
  std::mutex mutex;
  Status first;
  // All at once: the time given is for all together.
  for (tide_pool* pool : Handles::instance().open_handles()) {
    threads.emplace_back([&, pool] {
      Status closed = close_pool(pool, timeout);
      if (closed || closed.code == Code::closed) return;
      const std::lock_guard lock(mutex);
      if (first) first = std::move(closed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return first;
}

}  // namespace tide
