#include "base/order_limits.hpp"

#include <cstdio>
#include <string>

#include "base/text.hpp"

namespace tide {
namespace {

// All digits that it takes.
std::string exact(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%.15g", value);
  return out;
}

}  // namespace

Status check_alert_ends(std::string_view rule, std::string_view comparison, double threshold, double clear_at) {
  const bool is_upward = comparison.substr(0, 1) == ">";
  if (is_upward ? clear_at <= threshold : clear_at >= threshold) return Status::ok();
  return Status::error(Code::bad_argument,
                       "alert rule " + in_quotes(rule) + ": clear_at " + exact(clear_at) + " is " +
                           (is_upward ? "above" : "below") + " the threshold " + exact(threshold),
                       "with " + std::string(comparison) + " the condition ends at clear_at, so it must be " +
                           (is_upward ? "at most" : "at least") + " the threshold",
                       "give both clear_at and threshold");
}

}  // namespace tide
