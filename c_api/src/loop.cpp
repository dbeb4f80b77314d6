// tide_pool_fd, tide_pool_step: for a pool that has no thread.
#include <tidepool/tidepool.h>

#include "guard.hpp"
#include "handles.hpp"
#include "pool/keeper.hpp"

using namespace tide;

namespace {

Status check_foreign(const PoolEntry& entry) {
  if (entry.thread == nullptr) return Status::ok();
  return Status::error(Code::bad_argument, "this pool is driven by its own thread", "",
                       "set tide_pool_options.foreign_loop = 1 to drive it from an event loop");
}

}  // namespace

tide_status tide_pool_fd(tide_pool* pool, int* out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr) return Status::error(Code::bad_argument, "out is NULL");
    const Door door(pool);
    if (!door) return no_entry(door.code());
    if (Status foreign = check_foreign(Handles::instance().entry_of(Handles::number_of(pool))); !foreign)
      return foreign;
    *out = door->keeper().fd();
    return Status::ok();
  });
}

tide_status tide_pool_step(tide_pool* pool, int64_t* next_within_ms, tide_error* err) {
  return guarded(err, [&]() -> Status {
    const Door door(pool);
    if (!door) return no_entry(door.code());
    PoolEntry& entry = Handles::instance().entry_of(Handles::number_of(pool));
    if (Status foreign = check_foreign(entry); !foreign) return foreign;
    if (entry.is_closing.load(std::memory_order_acquire)) return no_entry(Code::closed);
    const StepTurn turn(entry);
    if (!turn) return Status::error(Code::bad_argument, "the pool is already being stepped or closed");
    const Span next = door->keeper().step();
    entry.callbacks->tell_waiting();
    if (next_within_ms != nullptr) *next_within_ms = next.ms_up();
    return Status::ok();
  });
}
