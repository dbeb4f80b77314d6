// tide_pool_*, tide_lease_*: opening, leasing, closing.
#include <tidepool/tidepool.h>

#include <cstring>

#include "calls.hpp"
#include "cancel.hpp"
#include "closing.hpp"
#include "drivers.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "opening.hpp"
#include "structs.hpp"

using namespace tide;

namespace {

const char* tag_of(const char* tag) { return tag == nullptr ? "" : tag; }

tide_status stale(tide_error* err) {
  return fail(err, Status::error(Code::stale_lease, "the lease has already ended",
                                 "it was released or revoked, or was never issued by its pool",
                                 "release every lease exactly once; see `events` for revocations"));
}

}  // namespace

tide_status tide_pool_open(const char* name, const char* url, const char* options, tide_pool** out, tide_error* err) {
  return tide_pool_open_with(name, url, options, nullptr, out, err);
}

tide_status tide_pool_open_with(const char* name, const char* url, const char* options, const tide_pool_options* with,
                                tide_pool** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr)
      return Status::error(Code::bad_argument, "out is NULL", "", "pass the address of a tide_pool *");
    tide_pool_options wanted = TIDE_POOL_OPTIONS_INIT;
    if (Status read = read_struct(with, "tide_pool_options", wanted); !read) return read;
    Result<tide_pool*> opened = open_pool(name, url, options, wanted);
    if (!opened) return opened.take_status();
    *out = opened.value();
    return Status::ok();
  });
}

tide_status tide_pool_close(tide_pool* pool, int64_t timeout_ms, tide_error* err) {
  return guarded(err, [&] {
    if (Status checked = check_timeout(timeout_ms); !checked) return checked;
    return close_pool(pool, timeout_ms < 0 ? std::optional<Span>{} : Span::millis(timeout_ms));
  });
}

tide_status tide_close_all(int64_t timeout_ms, tide_error* err) {
  return guarded(err, [&] {
    if (Status checked = check_timeout(timeout_ms); !checked) return checked;
    return close_all_pools(timeout_ms < 0 ? std::optional<Span>{} : Span::millis(timeout_ms));
  });
}

// For an acquire that cannot be served immediately, for any reason.
[[gnu::noinline, gnu::cold]] static tide_status acquire_slowly(tide_pool* pool, const char* tag, int64_t timeout_ms,
                                                               tide_lease* out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr) return Status::error(Code::bad_argument, "out is NULL", "", "pass the address of a tide_lease");
    if (Status checked = check_timeout(timeout_ms); !checked) return checked;
    const Door door(pool);
    if (!door) return no_entry(door.code());
    AcquireRequest request;
    request.tag = tag_of(tag);
    if (timeout_ms >= 0) request.timeout = Span::millis(timeout_ms);
    LeaseId lease;
    if (const Code code = door->acquire(request, lease); code != Code::ok) {
      if (err != nullptr) return door->explain(code, request.timeout);
      Status untold;
      untold.code = code;
      return untold;
    }
    *out = {pool, lease.bits};
    return Status::ok();
  });
}

tide_status tide_pool_acquire(tide_pool* pool, const char* tag, int64_t timeout_ms, tide_lease* out, tide_error* err) {
  try {
    if (out != nullptr && tag != nullptr && timeout_ms <= kDayMs) [[likely]] {
      const Door door(pool);
      if (door) [[likely]] {
        if (const LeaseId lease = door->acquire_idle(tag, LeaseMode::read_write); !lease.is_none()) [[likely]] {
          *out = {pool, lease.bits};
          return TIDE_OK;
        }
      }
    }
    return acquire_slowly(pool, tag, timeout_ms, out, err);
  } catch (...) {
    return fail_with_exception(err);
  }
}

tide_status tide_pool_acquire_with(tide_pool* pool, const tide_acquire_options* with, tide_lease* out,
                                   tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (with == nullptr)
      return Status::error(Code::bad_argument, "with is NULL", "",
                           "use tide_pool_acquire(), or pass TIDE_ACQUIRE_OPTIONS_INIT");
    tide_acquire_options wanted = TIDE_ACQUIRE_OPTIONS_INIT;
    if (Status read = read_struct(with, "tide_acquire_options", wanted); !read) return read;
    if (wanted.mode != TIDE_READ_WRITE && wanted.mode != TIDE_READ) {
      return Status::error(Code::bad_argument, "mode is " + std::to_string(wanted.mode),
                           "accepted: TIDE_READ_WRITE, TIDE_READ");
    }
    if (Status checked = check_priority(wanted.priority); !checked) return checked;
    if (Status checked = check_timeout(wanted.timeout_ms); !checked) return checked;
    if (wanted.callback == nullptr && out == nullptr)
      return Status::error(Code::bad_argument, "out is NULL and there is no callback");
    const Door door(pool);
    if (!door) return no_entry(door.code());
    AcquireRequest request;
    request.tag = tag_of(wanted.tag);
    request.mode = wanted.mode == TIDE_READ ? LeaseMode::read : LeaseMode::read_write;
    if (wanted.timeout_ms >= 0) request.timeout = Span::millis(wanted.timeout_ms);
    request.priority = priority_of(wanted.priority);
    request.cancel = token_of(wanted.cancel);
    Replicas* const replicas = request.mode == LeaseMode::read ? door.replicas() : nullptr;
    if (wanted.callback == nullptr && replicas != nullptr) {
      OwnLease lease(*door);
      if (Status acquired = replicas->acquire(lease, request); !acquired) return acquired;
      const uint64_t from = replicas->handle_of(lease.pool());
      *out = {Handles::handle_of(from), lease.take().bits};
      return Status::ok();
    }
    if (wanted.callback == nullptr) {
      LeaseId lease;
      const Code code = door->acquire(request, lease);
      if (code != Code::ok) return door->explain(code, request.timeout);
      *out = {pool, lease.bits};
      return Status::ok();
    }
    const auto call = wanted.callback;
    void* const context = wanted.context;
    Callbacks& callbacks = *Handles::entry_of(Handles::number_of(pool)).callbacks;
    const auto tell = [call, context, &callbacks](tide_pool* from, Code outcome, LeaseId lease, const Status& why) {
      callbacks.tell_outcome([call, context, from, outcome, lease, why] {
        tide_error error = TIDE_ERROR_INIT;
        if (outcome != Code::ok) fail(&error, why);
        call(context, static_cast<tide_status>(outcome), {from, lease.bits}, &error);
      });
    };
    Code code = Code::ok;
    if (replicas != nullptr) {
      code = replicas->acquire_async(request, [tell](uint64_t from, Code outcome, LeaseId lease, const Status& why) {
        tell(Handles::handle_of(from), outcome, lease, why);
      });
    } else {
      code = door->acquire_async(
          request, [tell, pool](Code outcome, LeaseId lease, const Status& why) { tell(pool, outcome, lease, why); });
    }
    return code == Code::ok ? Status::ok() : door->explain(code, request.timeout);
  });
}

[[gnu::noinline, gnu::cold]] static tide_status refuse_lease(tide_lease lease, tide_error* err) {
  const Door door(lease);
  return door ? stale(err) : fail(err, no_entry(door.code()));
}

tide_status tide_lease_release(tide_lease lease, tide_error* err) {
  try {
    {
      const Door door(lease);
      if (door && door->release(LeaseId(lease.id)) == Code::ok) [[likely]]
        return TIDE_OK;
    }
    return refuse_lease(lease, err);
  } catch (...) {
    return fail_with_exception(err);
  }
}

// For calls on a lease that are not on the fast path. `use` returns ok, or that the lease is invalid.
template <typename Use>
static tide_status with_lease(tide_lease lease, tide_error* err, Use&& use) noexcept {
  try {
    {
      const Door door(lease);
      if (door && use(*door, LeaseId(lease.id)) == Code::ok) return TIDE_OK;
    }
    return refuse_lease(lease, err);
  } catch (...) {
    return fail_with_exception(err);
  }
}

tide_status tide_lease_release_unchanged(tide_lease lease, tide_error* err) {
  return with_lease(lease, err, [](Pool& pool, LeaseId id) { return pool.release_unchanged(id); });
}

int tide_lease_is_wanted(tide_lease lease) {
  try {
    const Door door(lease);
    return !door || LeaseId(lease.id).is_none() || door->is_wanted(LeaseId(lease.id)) ? 1 : 0;
  } catch (...) {
    return 1;
  }
}

tide_status tide_lease_discard(tide_lease lease, tide_error* err) {
  return with_lease(lease, err, [](Pool& pool, LeaseId id) { return pool.discard(id); });
}

tide_status tide_lease_cancel(tide_lease lease, tide_error* err) {
  return with_lease(lease, err, [](Pool& pool, LeaseId id) { return pool.cancel(id); });
}

void* tide_lease_native(tide_lease lease) {
  try {
    const Door door(lease);
    return door && !LeaseId(lease.id).is_none() ? door->native(LeaseId(lease.id)) : nullptr;
  } catch (...) {
    return nullptr;
  }
}

tide_status tide_lease_get_stats(tide_lease lease, tide_lease_stats* out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr) return Status::error(Code::bad_argument, "out is NULL");
    tide_lease_stats stats = TIDE_LEASE_STATS_INIT;
    if (Status read = read_struct(out, "tide_lease_stats", stats); !read) return read;
    const Door door(lease);
    if (!door) return no_entry(door.code());
    LeaseFacts facts;
    if (LeaseId(lease.id).is_none() || door->facts(LeaseId(lease.id), facts) != Code::ok) {
      return Status::error(Code::stale_lease, "the lease has already ended");
    }
    const uint32_t size = out->size;
    stats.size = size;
    stats.mode = facts.mode == LeaseMode::read ? TIDE_READ : TIDE_READ_WRITE;
    stats.lease_id = lease.id;
    stats.conn_id = facts.conn_id;
    stats.age_ms = facts.age.ms();
    stats.idle_ms = facts.idle.ms();
    stats.uses_total = facts.uses_total;
    std::memcpy(out, &stats, size < sizeof stats ? size : sizeof stats);
    return Status::ok();
  });
}

tide_status tide_pool_instance_id(tide_pool* pool, char out[33], tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr) return Status::error(Code::bad_argument, "out is NULL");
    const Door door(pool);
    if (!door) return no_entry(door.code());
    const std::string hex = instance_hex(door->instance_id());
    out[hex.copy(out, 32)] = '\0';
    return Status::ok();
  });
}
