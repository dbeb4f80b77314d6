// The effect of the options of the service.
#include "unit/service/service_rig.hpp"

namespace tide::test {
namespace {

class OptionEffect : public ServiceRig {};

TEST_F(OptionEffect, retry_attempts) {
  for (const int64_t attempts : {0, 1, 4}) {
    Policy policy = ServiceRig::policy();
    policy.retry_attempts = attempts;
    open(policy);
    pauses_.clear();
    fault_at("add k 1", Fault::conflict, 1, 1000);
    EXPECT_EQ(run("add k 1").sqlstate, "40001");
    EXPECT_EQ(pauses_.size(), static_cast<size_t>(attempts));
  }
}

TEST_F(OptionEffect, commit_check) {
  for (const bool is_checked : {true, false}) {
    Policy policy = ServiceRig::policy();
    policy.commit_check = is_checked;
    open(policy);
    const TransactionId id = begun();
    ASSERT_OK(run_in(id, "put k 1"));
    fault_at("COMMIT", Fault::lost_executed);
    EXPECT_EQ(service_->commit(id).code, is_checked ? Code::ok : Code::unknown_outcome);
    EXPECT_EQ(stored("k"), "1");
  }
}

}  // namespace
}  // namespace tide::test
