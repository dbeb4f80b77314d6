// Home: pools of this process that have no files (publish=off), made available for observation and control.
#include "home.hpp"

#include <unistd.h>

#include "control/local_control.hpp"
#include "drivers.hpp"
#include "handles.hpp"
#include "pool/keeper.hpp"
#include "reading/fleet.hpp"

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

std::vector<int> private_segments() {
  std::vector<int> descriptors;
  for_each_private_pool([&](Pool& pool) { descriptors.push_back(pool.segment().fd()); });
  return descriptors;
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
  static constexpr LocalControl kControl{list_private_pools, post_to_private_pool, registered_schemes};
  set_local_control(&kControl);
  set_local_segments(private_segments);
}

}  // namespace tide
