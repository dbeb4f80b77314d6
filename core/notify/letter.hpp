// Letters: alerts as the bodies that receivers expect.
//
//   alertmanager      the body of Alertmanager's webhook, version 4
//   alertmanager_api  what a Prometheus server posts to /api/v2/alerts
//   slack             a message of blocks for an incoming webhook
//   pagerduty         one event of the Events API v2
//
// Labels identify an alert and stay the same from its start to its end, so that the receiver can match them; everything
// that changes is an annotation. Texts may come from tags and other users of the pool: invalid UTF-8 is replaced, and
// they are cut to what the receiver accepts.
// Pure: no clock, no network. Threads: any. Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.hpp"
#include "pool/alert_feed.hpp"

namespace tide {

// Whose alerts they are.
struct Sender {
  std::string pool;
  std::string app;
  std::string host;
  std::string instance_id;
  std::string version;
};

struct Letter {
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
};

// The most changes that one body of this format may contain.
size_t changes_max(WebhookFormat format);
// What is appended to a URL without a path.
std::string_view default_path(WebhookFormat format);

// `changes`: in order of time, not empty, at most changes_max(); of several changes of one alert only the last is told,
// which includes the others. `secret`: the routing key for pagerduty, else unused. `wall_ns`: now.
Letter make_letter(WebhookFormat format, const Sender& sender, std::span<const AlertChange> changes,
                   std::string_view secret, int64_t wall_ns);

// Alertmanager takes a firing alert for resolved when it is not repeated within this time.
inline constexpr Span kFiringFor = Span::seconds(240);

}  // namespace tide
