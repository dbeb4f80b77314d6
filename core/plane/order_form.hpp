// Order form: which orders there are, what they take, and whether one is filled in correctly.
//
// Used twice with the same code: by whoever posts, so that a mistake is told at once, and by the owner, who believes
// nothing that came through a mailbox. What the pool itself may refuse (limits, its state) is not known here.
// Threads: any. Failure: bad_argument, naming the argument, its value, what is accepted, and the nearest known name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/instant.hpp"
#include "base/order_limits.hpp"
#include "base/status.hpp"
#include "plane/format.hpp"

namespace tide {

inline constexpr size_t kReasonBytesMax = 120;
// With both sentences of an alert full and everything else given, an order still fits into a mailbox, unless it is made
// of characters that JSON must escape.
static_assert(kRuleNameBytesMax == decltype(format::AlertRuleRecord::rule)::kBytesMax);
static_assert(kAlertTextBytesMax == decltype(format::AlertRuleRecord::message)::kBytesMax);
inline constexpr size_t kAckedByBytesMax = decltype(format::AlertRecord::acked_by)::kBytesMax;

// As brain/action.hpp's AlertWish. What is not given stays as it is.
struct AlertForm {
  std::string rule;
  std::optional<std::string> metric;      // a word of vocabulary::alert_metrics()
  std::optional<std::string> comparison;  // ">", ">=", "<" or "<="
  std::optional<double> threshold;
  std::optional<Span> hold;
  std::optional<std::string> severity;
  std::optional<bool> is_enabled;
  std::optional<std::string> message;
  std::optional<std::string> advice;
  std::optional<double> clear_at;
};

struct OrderForm {
  uint32_t verb = 0;  // the brain's Verb
  // scale: target size, -1 = automatic; close_connection: conn_id; revoke: lease_id; ack: alert_id
  int64_t number = 0;
  Span span;              // burst: duration, zero = the pool's burst_duration; recycle: spread
  std::string option;     // set
  std::string value;      // set
  std::string reason;     // scale
  std::string by;         // ack: who says so, empty = the actor
  AlertForm alert;        // set_alert; drop_alert: its rule alone
  std::string canonical;  // the arguments as the shortest JSON object that means the same; fits into a mailbox
};

// In the order of the brain's Verb.
std::span<const std::string_view> order_verbs();

// `arguments_json` is a JSON object; "" stands for {}. null stands for an optional argument that is not given.
Result<OrderForm> check_order(std::string_view verb, std::string_view arguments_json);

}  // namespace tide
