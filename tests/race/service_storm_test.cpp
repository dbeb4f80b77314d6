// Transactions of many threads, with conflicts and lost connections: what was told is what the store has.
#include <atomic>
#include <mutex>
#include <string>

#include "base/rng.hpp"
#include "race/pool_rig.hpp"
#include "service/service.hpp"

namespace tide::race {
namespace {

using fake::Fault;

TEST(ServiceStorm, WhatIsToldIsWhatTheStoreHas) {
  constexpr uint32_t kThreads = 6, kRounds = 60;
  Policy policy = storm_policy();
  policy.max_size = 8;
  policy.retry_base = Span::micros(100);
  policy.retry_max = Span::millis(2);
  PoolRig rig(policy);
  std::mutex mutex;
  Rng rng(5);
  rig.server().set_faults([&](std::string_view sql) {
    const std::lock_guard lock(mutex);
    if (!rng.chance(sql == "COMMIT" ? 0.2 : 0.03)) return Fault::none;
    constexpr Fault kFaults[] = {Fault::lost_unsent, Fault::lost_unexecuted, Fault::lost_executed, Fault::conflict};
    return kFaults[rng.below(4)];
  });
  Service service(rig.pool(), {[](Span span) { pause_for(span); }, 3});
  std::atomic<uint64_t> told[kThreads] = {}, unknown[kThreads] = {};
  storm(kThreads, [&](uint32_t number) {
    const std::string own = "add own" + std::to_string(number) + " 1";
    Call first, second;
    first.sql = "add all 1";
    second.sql = own;
    ResultTable table;
    for (uint32_t round = 0; round < kRounds; ++round) {
      Status status;
      if (round % 2 == 0) {
        status = service.transact({}, [&](TransactionId id) {
          return service.run_in(id, first, Span::nanos(-1), table) && service.run_in(id, second, Span::nanos(-1), table)
                     ? 0
                     : 1;
        });
      } else {
        TransactionId id = 0;
        status = service.begin({}, id);
        if (!status) continue;
        (void)service.run_in(id, first, Span::nanos(-1), table);
        (void)service.run_in(id, second, Span::nanos(-1), table);
        status = service.commit(id);
      }
      if (status) ++told[number];
      if (status.code == Code::unknown_outcome) ++unknown[number];
    }
  });
  rig.server().set_faults({});
  const fake::StoreValues values = rig.server().store();
  const auto number_of = [&](const std::string& key) {
    const auto found = values.find(key);
    return found == values.end() ? uint64_t{0} : static_cast<uint64_t>(std::stoull(found->second));
  };
  uint64_t sum = 0;
  for (uint32_t i = 0; i < kThreads; ++i) {
    const uint64_t stored = number_of("own" + std::to_string(i));
    EXPECT_GE(stored, told[i]);
    EXPECT_LE(stored, told[i] + unknown[i]);
    EXPECT_GT(told[i], 0U);
    sum += stored;
  }
  EXPECT_EQ(number_of("all"), sum);
  EXPECT_TRUE(service.finish(now() + Span::seconds(20)));
  rig.close();
}

}  // namespace
}  // namespace tide::race
