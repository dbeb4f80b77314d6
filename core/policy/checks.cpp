// Contradictions: values that are each accepted but cannot hold together.
//
// connect_timeout may exceed acquire_timeout: connections are opened apart from the callers that wait for them.
#include "policy/settings.hpp"

namespace tide {
namespace {

// Spells both options from the catalogue: `low` must not be above `high` (or, if `strict`, not reach it).
Status not_above(const Policy& policy, std::string_view low, std::string_view high, std::string_view relation) {
  const Setting& low_setting = *find_setting(low);
  const Setting& high_setting = *find_setting(high);
  return Status::error(
      Code::bad_option,
      std::string(low) + " " + format_value(policy, low_setting) + " is " + std::string(relation) + " " +
          std::string(high) + " " + format_value(policy, high_setting),
      std::string(low) + " must be " + (relation == "above" ? "at most " : "below ") + std::string(high),
      "lower " + std::string(low) + " or raise " + std::string(high));
}

}  // namespace

Status check_policy(const Policy& policy) {
  if (policy.min_size > policy.max_size) return not_above(policy, "min_size", "max_size", "above");
  if (policy.min_idle > policy.max_size) return not_above(policy, "min_idle", "max_size", "above");
  if (policy.burst_max_size != 0 && policy.burst_max_size < policy.max_size) {
    Status status = not_above(policy, "max_size", "burst_max_size", "above");
    status.hint += "; burst_max_size 0 is twice max_size";
    return status;
  }
  if (policy.retry_base > policy.retry_max) return not_above(policy, "retry_base", "retry_max", "above");
  if (policy.scale_down_utilization >= policy.scale_up_utilization) {
    return not_above(policy, "scale_down_utilization", "scale_up_utilization", "not below");
  }
  if (policy.health_min_healthy > policy.max_size) return not_above(policy, "health_min_healthy", "max_size", "above");
  return Status::ok();
}

}  // namespace tide
