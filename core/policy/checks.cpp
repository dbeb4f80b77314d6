// Contradictions: values that are valid each, but not together.
//
// connect_timeout may exceed acquire_timeout, because connections are opened in the background.
#include "policy/settings.hpp"

namespace tide {
namespace {

// The error for a violation of `low` <= `high`, or, if `relation` is not "above", of `low` < `high`.
Status not_above(const Policy& policy, std::string_view low, std::string_view high, std::string_view relation) {
  const Setting& low_setting = *find_setting(low);
  const Setting& high_setting = *find_setting(high);
  return Status::error(
      Code::bad_option,
      std::string(low) + " " + format_value(policy, low_setting) + " is " + std::string(relation) + " " +
          std::string(high) + " " + format_value(policy, high_setting),
      std::string(low) + " must be " + (relation == "above" ? "at most " : "below ") + std::string(high) + ".",
      "Lower " + std::string(low) + " or raise " + std::string(high) + ".");
}

}  // namespace

std::vector<Status> contradictions(const Policy& policy) {
  std::vector<Status> found;
  const auto refuse = [&](std::string_view low, std::string_view high, std::string_view relation) -> Status& {
    return found.emplace_back(not_above(policy, low, high, relation));
  };
  const auto refuse_above_max = [&](std::string_view low) {
    Status& refusal = refuse(low, "max_size", "above");
    if (!policy.is_pooling()) refusal.text().hint += " max_size=0 means no pooling: no connection is kept.";
  };
  if (policy.min_size > policy.max_size) refuse_above_max("min_size");
  if (policy.min_idle > policy.max_size) refuse_above_max("min_idle");
  if (policy.reserve_size != 0 && policy.reserve_size >= policy.max_size) {
    refuse("reserve_size", "max_size", "not below").text().hint +=
        " At least one connection is left to other requests.";
  }
  if (policy.burst_max_size != 0 && policy.burst_max_size < policy.max_size) {
    refuse("max_size", "burst_max_size", "above").text().hint += " burst_max_size=0 means twice max_size.";
  }
  if (policy.retry_base > policy.retry_max) refuse("retry_base", "retry_max", "above");
  if (policy.scale_down_utilization >= policy.scale_up_utilization) {
    refuse("scale_down_utilization", "scale_up_utilization", "not below");
  }
  if (policy.health_min_healthy > policy.max_size) refuse_above_max("health_min_healthy");
  if (!policy.notify_webhook_url.empty() && policy.notify_webhook_format == WebhookFormat::pagerduty &&
      policy.notify_webhook_secret.empty()) {
    found.push_back(Status::error(Code::bad_option, "notify_webhook_format pagerduty needs notify_webhook_secret",
                                  "The secret is the routing key that PagerDuty requires in each event.",
                                  "Set notify_webhook_secret to the integration key of the service."));
  }
  return found;
}

Status check_policy(const Policy& policy) {
  std::vector<Status> found = contradictions(policy);
  return found.empty() ? Status::ok() : std::move(found.front());
}

}  // namespace tide
