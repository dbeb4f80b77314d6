// Home: pools of this process that have no files (publish=off), made available for observation and control.
#include "home.hpp"

#include <unistd.h>

#include "drivers.hpp"
#include "handles.hpp"
#include "pool/keeper.hpp"
#include "segment/local_pools.hpp"

namespace tide {
namespace {

// Calls `visit` for every open pool without a file; the pool is not destroyed during the call.
template <typename Visitor>
void for_each_private_pool(Visitor&& visitor) {
  for (tide_pool* handle : Handles::instance().open_handles()) {
    const Door door(handle);
    if (door && door->segment().path().empty()) visitor(*door);
  }
}

std::vector<LocalPool> list_private_pools() {
  std::vector<LocalPool> pools;
  for_each_private_pool([&](Pool& pool) {
    pools.push_back({instance_hex(pool.instance_id()), pool.name(), pool.segment().fd()});
  });
  return pools;
}

uint64_t post_to_private_pool(const std::string& instance, const std::string& verb, const std::string& arguments,
                              const std::string& actor) {
  uint64_t command_id = 0;
  for_each_private_pool([&](Pool& pool) {
    if (instance_hex(pool.instance_id()) == instance) command_id = pool.keeper().post(verb, arguments, actor);
  });
  return command_id;
}

}  // namespace

void lend_private_pools() {
  static constexpr LocalPools kPools{list_private_pools, post_to_private_pool, registered_schemes};
  registered_local_pools.store(&kPools, std::memory_order_release);
}

}  // namespace tide
